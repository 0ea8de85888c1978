"""AdminSubscriptionExpressJSv1: the routes of plans. The use cases are in `service`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.admin_subscription import service
from functions.admin_subscription.schemas import NewSubscription, SubscriptionChange
from shared.api.admin_api import AdminApi
from shared.api.paging import Listing
from shared.api.requests import ListQuery
from shared.views.plans import SubscriptionItem

app = AdminApi()


@app.get("/v1/admin/subscription/list")
def list_subscriptions() -> Listing[SubscriptionItem]:
    """List Subscription, newest first."""
    return service.list_plans(app.query(ListQuery))


@app.post("/v1/admin/subscription")
def create_subscription() -> SubscriptionItem:
    """Create Subscription."""
    return service.create_plan(app.body(NewSubscription))


@app.put("/v1/admin/subscription/<subscription_id>")
def update_subscription(subscription_id: str) -> SubscriptionItem:
    """Update Subscription."""
    plan = service.find_plan(subscription_id)
    return service.update_plan(plan, app.body(SubscriptionChange))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the admin API."""
    return app.resolve(event, context)
