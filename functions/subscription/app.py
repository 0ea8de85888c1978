"""SubscriptionExpressJSv1: the routes of plans, as users see them. The use cases are in `service`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.subscription import service
from functions.subscription.schemas import OwnPlan
from shared.api.account_api import AccountApi
from shared.api.answers import OWN
from shared.api.paging import Listing
from shared.api.requests import ListQuery
from shared.views.plans import SubscriptionItem

app = AccountApi()


@app.get("/v1/subscription/list", openapi_extensions=OWN)
def list_plans() -> Listing[SubscriptionItem]:
    """List Public Plans, newest first: a page may hold fewer than `limit`, with more behind nextToken."""
    return service.list_plans(app.query(ListQuery))


@app.get("/v1/subscription", openapi_extensions=OWN)
def get_plan() -> OwnPlan:
    """Get Own Plan: whether it is paid for, its limits, and what is used of them."""
    return service.get_plan(app.user)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the Account API."""
    return app.resolve(event, context)
