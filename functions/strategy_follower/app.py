"""StrategyFollowerExpressJSv1: the routes of a user's own followers. The use cases are in `service`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.strategy_follower import service
from functions.strategy_follower.schemas import OwnFollowerItem
from shared.api.account_api import AccountApi
from shared.api.answers import OWN
from shared.api.paging import Listing
from shared.api.requests import ListQuery

app = AccountApi()


@app.get("/v1/strategy/follower/list", openapi_extensions=OWN)
def list_followers() -> Listing[OwnFollowerItem]:
    """List Own Followers, newest first."""
    return service.list_followers(app.user.id, app.query(ListQuery))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the Account API."""
    return app.resolve(event, context)
