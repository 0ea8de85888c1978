"""AdminUserExpressJSv1: the routes of the users' accounts. What they do stands in `service`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.admin_user import service
from functions.admin_user.schemas import ExchangeKeyItem, ExchangeKeyQuery
from shared.api.admin_api import AdminApi
from shared.api.paging import Listing

app = AdminApi()


@app.get("/v1/admin/account/user/exchange/key/<user_id>/list")
def list_exchange_keys(user_id: str) -> Listing[ExchangeKeyItem]:
    """List Exchange Keys, newest first."""
    user = service.find_user(user_id)
    return service.list_exchange_keys(user, app.query(ExchangeKeyQuery))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the admin API."""
    return app.resolve(event, context)
