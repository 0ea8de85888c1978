"""ExchangeExpressJSv1: the routes of a user's own exchange keys. The use cases are in `service` and `shared.views`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.account_api import AccountApi
from shared.api.answers import OWN
from shared.api.paging import Listing
from shared.views import exchange_keys
from shared.views.exchange_keys import ExchangeKeyItem, ExchangeKeyQuery

app = AccountApi()


@app.get("/v1/exchange/key/list", openapi_extensions=OWN)
def list_keys() -> Listing[ExchangeKeyItem]:
    """List Own Exchange Keys, newest first."""
    return exchange_keys.list_keys(app.user.id, app.query(ExchangeKeyQuery))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the Account API."""
    return app.resolve(event, context)
