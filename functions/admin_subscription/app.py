"""AdminSubscriptionExpressJSv1: the routes of plans. What they do stands in `service`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.admin_subscription import service
from functions.admin_subscription.schemas import SubscriptionItem
from shared.api.admin_api import AdminApi
from shared.api.paging import Listing
from shared.api.requests import ListQuery

app = AdminApi()


@app.get("/v1/admin/subscription/list")
def list_subscriptions() -> Listing[SubscriptionItem]:
    """List Subscription, newest first."""
    return service.list_subscriptions(app.query(ListQuery))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the admin API."""
    return app.resolve(event, context)
