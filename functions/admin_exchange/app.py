"""AdminExchangeExpressJSv1: the routes of exchange keys. What they do stands in `service`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.admin_exchange import service
from functions.admin_exchange.schemas import OrderQuery, PositionQuery
from shared.api.admin_api import AdminApi

app = AdminApi()


@app.get("/v1/admin/exchange/position/<api_key_id>/list")
def list_positions(api_key_id: str) -> list[dict[str, Any]]:
    """List Futures Open Positions, newest first, as the exchange has them now."""
    key = service.find_key(api_key_id)
    query = app.query(PositionQuery, faults=service.futures_faults(key))
    return service.list_positions(key, query.symbol)


@app.get("/v1/admin/exchange/order/<api_key_id>/list")
def list_open_orders(api_key_id: str) -> list[dict[str, Any]]:
    """List Open Orders, newest first, as the exchange has them now."""
    key = service.find_key(api_key_id)
    return service.list_open_orders(key, app.query(OrderQuery).symbol)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the admin API."""
    return app.resolve(event, context)
