"""ExchangeExpressJSv1: the routes of a user's own exchange keys. The use cases are in the modules beside this one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.content_types import APPLICATION_JSON
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.exchange import binding, changing, connecting, requirement
from functions.exchange.schemas import DeletedKey, KeyChange, NewKey, OwnExchangeKeyItem, Requirement
from shared import key_deletion
from shared.api.account_api import OPENS, AccountApi
from shared.api.answers import OWN
from shared.api.days import DaysListing
from shared.api.idempotency import HEADER, IdempotentRequest, answer_once, key_faults
from shared.api.paging import Listing
from shared.api.records import find_own_key
from shared.api.requests import ListQuery, raise_faults
from shared.key_deletion import KeyHasPosition
from shared.views import exchange_accounts, key_inspections
from shared.views.exchange_account_items import (
    AssetBalance,
    BalanceDayItem,
    BalanceHistoryQuery,
    OrderItem,
    OrderQuery,
    PositionItem,
    PositionQuery,
)
from shared.views.exchange_keys import ExchangeKeyQuery
from shared.views.key_inspections import InspectionItem
from shared.views.open_positions import StillOpen, open_position

_KEY_IN_USE: OpenAPIResponse = {
    "description": "A position of the key is open.",
    "content": {APPLICATION_JSON: {"model": StillOpen}},
}

app = AccountApi()


@app.get("/v1/exchange/requirement/BINANCE", openapi_extensions=OWN)
def show_requirement() -> Requirement:
    """Show what a key needs to be connected, and the least equity for each active strategy, oldest first."""
    return requirement.show_requirement("BINANCE", app.query(ListQuery))


@app.get("/v1/exchange/key/list", openapi_extensions=OWN)
def list_keys() -> Listing[OwnExchangeKeyItem]:
    """List Own Exchange Keys, newest first."""
    return binding.list_keys(app.user.id, app.query(ExchangeKeyQuery))


@app.post("/v1/exchange/key", openapi_extensions=OPENS)
def connect_key() -> OwnExchangeKeyItem:
    """Connect Exchange Key: inspected at the exchange first, and kept only if nothing is wrong with it."""
    idempotency_key = app.header(HEADER)
    body = app.body(NewKey, faults=key_faults(idempotency_key))
    repeatable = None
    if idempotency_key is not None:
        repeatable = IdempotentRequest.of(
            idempotency_key, caller_id=app.user.id, path="/v1/exchange/key", content=body.content()
        )
    return connecting.connect_key(app.user, body, repeatable=repeatable)


@app.put("/v1/exchange/key/<api_key_id>", openapi_extensions=OWN)
def change_key(api_key_id: str) -> OwnExchangeKeyItem:
    """Update Exchange Key: its name, its API key with the secret, its addresses, or whether strategies may use it."""
    key = find_own_key(api_key_id, user_id=app.user.id)
    return changing.change_key(app.user, key, app.body(KeyChange), cause=app.request_id)


@app.delete("/v1/exchange/key/<api_key_id>", openapi_extensions=OWN, responses={HTTPStatus.CONFLICT: _KEY_IN_USE})
def delete_key(api_key_id: str) -> DeletedKey:
    """Delete Exchange Key, its secret and its followers; refused while a position of it is open."""
    key = find_own_key(api_key_id, user_id=app.user.id)
    key_deletion.delete_key(key)
    return {"id": key.id, "deleted": True}


@app.post("/v1/exchange/key/<api_key_id>/inspect", openapi_extensions=OWN)
def inspect_key(api_key_id: str) -> InspectionItem:
    """Inspect Exchange Key now: what keeps it from trading, what deserves a warning, and what to change."""
    key = find_own_key(api_key_id, user_id=app.user.id)
    idempotency_key = app.header(HEADER)
    raise_faults(key_faults(idempotency_key))
    repeatable = None
    if idempotency_key is not None:
        path = f"/v1/exchange/key/{key.id}/inspect"
        repeatable = IdempotentRequest.of(idempotency_key, caller_id=app.user.id, path=path, content={})
    return answer_once(repeatable, lambda: key_inspections.inspect_key(key))


@app.answers(KeyHasPosition)
def answer_key_in_use(error: KeyHasPosition) -> Response[Any]:
    """Answer that a position of the key is open."""
    body: StillOpen = {"message": "a position of the key is open", "positions": [*map(open_position, error.positions)]}
    return Response(status_code=HTTPStatus.CONFLICT, content_type=APPLICATION_JSON, body=body)


@app.get("/v1/exchange/key/balance/history/<api_key_id>", openapi_extensions=OWN)
def list_balance_history(api_key_id: str) -> DaysListing[BalanceDayItem]:
    """List Own Balance History, newest day first."""
    key = find_own_key(api_key_id, user_id=app.user.id)
    return exchange_accounts.list_balance_history(key, app.query(BalanceHistoryQuery))


@app.get("/v1/exchange/key/balance/<api_key_id>", openapi_extensions=OWN)
def get_balance(api_key_id: str) -> dict[str, AssetBalance]:
    """Get Own Balance: every asset, as the exchange has it now."""
    return exchange_accounts.get_balance(find_own_key(api_key_id, user_id=app.user.id))


@app.get("/v1/exchange/position/<api_key_id>/list", openapi_extensions=OWN)
def list_positions(api_key_id: str) -> list[PositionItem]:
    """List Own Open Positions, newest first, as the exchange has them now."""
    key = find_own_key(api_key_id, user_id=app.user.id)
    query = app.query(PositionQuery, faults=exchange_accounts.futures_faults(key))
    return exchange_accounts.list_positions(key, query.symbol)


@app.get("/v1/exchange/order/<api_key_id>/list", openapi_extensions=OWN)
def list_open_orders(api_key_id: str) -> list[OrderItem]:
    """List Own Open Orders, newest first, as the exchange has them now."""
    key = find_own_key(api_key_id, user_id=app.user.id)
    return exchange_accounts.list_open_orders(key, app.query(OrderQuery).symbol)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the Account API."""
    return app.resolve(event, context)
