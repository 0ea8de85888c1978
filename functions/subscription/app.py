"""SubscriptionExpressJSv1: the routes of plans, as users see and buy them. Use cases: `service`, `checkout`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.content_types import APPLICATION_JSON
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.subscription import checkout, service
from functions.subscription.schemas import Conflict, NewCheckout, OwnPlan, PageLink, PublicPlan
from shared.api.account_api import OPENS, AccountApi
from shared.api.answers import OWN
from shared.api.idempotency import HEADER, IdempotentRequest, answer_once, key_faults
from shared.api.paging import Listing
from shared.api.requests import ListQuery, raise_faults

CHECKOUT, PORTAL = "/v1/subscription/checkout", "/v1/subscription/portal"

SUBSCRIPTION_EXISTS: OpenAPIResponse = {
    "description": "The user has a subscription that has not ended: it is changed in the portal.",
    "content": {APPLICATION_JSON: {"model": Conflict}},
}
NO_SUBSCRIPTION: OpenAPIResponse = {
    "description": "The user has never subscribed.",
    "content": {APPLICATION_JSON: {"model": Conflict}},
}

app = AccountApi()


@app.get("/v1/subscription/list", openapi_extensions=OWN)
def list_plans() -> Listing[PublicPlan]:
    """List Public Plans, newest first: a page may hold fewer than `limit`, with more behind nextToken."""
    return service.list_plans(app.user, app.query(ListQuery))


@app.get("/v1/subscription", openapi_extensions=OWN)
def get_plan() -> OwnPlan:
    """Get Own Plan: whether it is paid for, its limits, and what is used of them."""
    return service.get_plan(app.user)


@app.post(CHECKOUT, openapi_extensions=OPENS, responses={409: SUBSCRIPTION_EXISTS})
def open_checkout() -> PageLink:
    """Check Out a Plan: a page of Stripe's, on which the user pays. The plan changes once Stripe says so."""
    key = app.header(HEADER)
    body = app.body(NewCheckout, faults=key_faults(key))
    repeatable = None
    if key is not None:
        repeatable = IdempotentRequest.of(key, caller_id=app.user.id, path=CHECKOUT, content=body.content())

    def open_page() -> PageLink:
        plan = service.find_plan_to_buy(body.subscription_id)
        return {"url": checkout.open_checkout(app.user, plan, request_key=key)}

    return answer_once(repeatable, open_page)


@app.post(PORTAL, openapi_extensions=OWN, responses={409: NO_SUBSCRIPTION})
def open_portal() -> PageLink:
    """Open the Portal: a page of Stripe's, on which the user changes or ends the subscription, and sees invoices."""
    key = app.header(HEADER)
    raise_faults(key_faults(key))
    repeatable = None
    if key is not None:
        repeatable = IdempotentRequest.of(key, caller_id=app.user.id, path=PORTAL, content={})

    def open_page() -> PageLink:
        return {"url": checkout.open_portal(app.user)}

    return answer_once(repeatable, open_page)


@app.answers(checkout.SubscriptionExists)
def answer_existing_subscription(_: checkout.SubscriptionExists) -> Response[Any]:
    """Answer that the subscription is changed in the portal."""
    return _conflict("change or end your subscription in the portal", code="SUBSCRIPTION_EXISTS", path=PORTAL)


@app.answers(checkout.NoSubscription)
def answer_missing_subscription(_: checkout.NoSubscription) -> Response[Any]:
    """Answer that a subscription begins with a checkout."""
    return _conflict("you have no subscription yet", code="NO_SUBSCRIPTION", path=CHECKOUT)


def _conflict(message: str, *, code: str, path: str) -> Response[Any]:
    body: Conflict = {"message": message, "code": code, "path": path}
    return Response(status_code=409, content_type=APPLICATION_JSON, body=body)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the Account API."""
    return app.resolve(event, context)
