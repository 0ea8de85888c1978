"""AdminExchangeExpressJSv1: the routes of exchange keys. The use cases are in `service` and `shared.views`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.admin_exchange import readiness, service
from functions.admin_exchange.readiness import KeyVerdict
from functions.admin_exchange.schemas import FollowerQuery, StrategyFollowItem
from shared.api.admin_api import AdminApi
from shared.api.answers import OWN
from shared.api.days import DaysListing
from shared.views import exchange_accounts, key_inspections
from shared.views.exchange_account_items import (
    AssetBalance,
    BalanceDayItem,
    BalanceHistoryQuery,
    OrderItem,
    OrderQuery,
    PositionItem,
    PositionQuery,
    TradeItem,
)
from shared.views.key_inspections import InspectionItem

app = AdminApi()


@app.get("/v1/admin/exchange/key/balance/history/<api_key_id>")
def list_balance_history(api_key_id: str) -> DaysListing[BalanceDayItem]:
    """List Exchange Key Balance History, newest day first."""
    key = service.find_key(api_key_id)
    return exchange_accounts.list_balance_history(key, app.query(BalanceHistoryQuery))


@app.get("/v1/admin/exchange/key/balance/<api_key_id>")
def get_balance(api_key_id: str) -> dict[str, AssetBalance]:
    """Get Exchange Key Balance: every asset, as the exchange has it now."""
    return exchange_accounts.get_balance(service.find_key(api_key_id))


@app.get("/v1/admin/exchange/key/strategy/follower/<api_key_id>")
def get_follower(api_key_id: str) -> StrategyFollowItem:
    """Get Strategy Follow."""
    key = service.find_key(api_key_id)
    return service.get_follower(key, app.query(FollowerQuery).symbol)


@app.get("/v1/admin/exchange/position/<api_key_id>/list")
def list_positions(api_key_id: str) -> list[PositionItem]:
    """List Futures Open Positions, newest first, as the exchange has them now."""
    key = service.find_key(api_key_id)
    query = app.query(PositionQuery, faults=exchange_accounts.futures_faults(key))
    return exchange_accounts.list_positions(key, query.symbol)


@app.get("/v1/admin/exchange/order/<api_key_id>/list")
def list_open_orders(api_key_id: str) -> list[OrderItem]:
    """List Open Orders, newest first, as the exchange has them now."""
    key = service.find_key(api_key_id)
    return exchange_accounts.list_open_orders(key, app.query(OrderQuery).symbol)


@app.get("/v1/admin/exchange/order/<api_key_id>/history")
def list_order_history(api_key_id: str) -> list[OrderItem]:
    """List Order History, newest first: the exchange's last 500."""
    key = service.find_key(api_key_id)
    return exchange_accounts.list_order_history(key, app.query(OrderQuery).symbol)


@app.get("/v1/admin/exchange/trade/<api_key_id>/history")
def list_trade_history(api_key_id: str) -> list[TradeItem]:
    """List Trade History, newest first: the exchange's last 500."""
    key = service.find_key(api_key_id)
    return exchange_accounts.list_trade_history(key, app.query(OrderQuery).symbol)


@app.get("/v1/admin/exchange/key/<api_key_id>/readiness", openapi_extensions=OWN)
def show_readiness(api_key_id: str) -> KeyVerdict:
    """Show Readiness: the last verdict on the key, in words."""
    return readiness.show_readiness(service.find_key(api_key_id))


@app.post("/v1/admin/exchange/key/<api_key_id>/inspect", openapi_extensions=OWN)
def inspect_key(api_key_id: str) -> InspectionItem:
    """Inspect Exchange Key now: what keeps it from trading, what deserves a warning, and what to change."""
    return key_inspections.inspect_key(service.find_key(api_key_id))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the admin API."""
    return app.resolve(event, context)
