"""UserExpressJSv1: the routes of a user's own account. The use cases are in `service`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.content_types import APPLICATION_JSON
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.user import closing, events, service
from functions.user.closing import AccountInUse
from functions.user.events import EventQuery, Events
from functions.user.schemas import (
    ClosedAccount,
    OwnNotification,
    OwnNotificationChange,
    Profile,
    ProfileChange,
    TelegramLinked,
    TelegramLinkItem,
    own_notification,
)
from shared.api.account_api import AccountApi
from shared.api.answers import OWN
from shared.api.idempotency import HEADER, key_faults
from shared.errors import RequestUnprocessable
from shared.views.open_positions import StillOpen, open_position

_IN_USE: OpenAPIResponse = {
    "description": "A position is open, or a subscription is active.",
    "content": {APPLICATION_JSON: {"model": StillOpen}},
}

app = AccountApi()


@app.get("/v1/account/user", openapi_extensions=OWN)
def get_profile() -> Profile:
    """Get Profile."""
    return service.get_profile(app.user)


@app.put("/v1/account/user", openapi_extensions=OWN)
def update_profile() -> Profile:
    """Update Profile: the names."""
    return service.update_profile(app.user, app.body(ProfileChange), cause=app.request_id)


@app.delete("/v1/account/user", openapi_extensions=OWN, responses={HTTPStatus.CONFLICT: _IN_USE})
def close_account() -> ClosedAccount:
    """Close Account: its keys and follows are deleted, and its sign-in; refused while a position is open."""
    return closing.close_account(app.user)


@app.answers(AccountInUse)
def answer_in_use(error: AccountInUse) -> Response[Any]:
    """Answer what stands against closing the account."""
    body: StillOpen = {"message": str(error), "positions": [*map(open_position, error.positions)]}
    return Response(status_code=HTTPStatus.CONFLICT, content_type=APPLICATION_JSON, body=body)


@app.get("/v1/account/notification", openapi_extensions=OWN)
def get_notification() -> OwnNotification:
    """Get Own Notification: which reports and messages one gets."""
    return own_notification(app.user)


@app.put("/v1/account/notification", openapi_extensions=OWN)
def update_notification() -> OwnNotification:
    """Update Own Notification: only what the body names."""
    return service.update_notification(app.user, app.body(OwnNotificationChange), cause=app.request_id)


@app.post("/v1/account/telegram/link", openapi_extensions=OWN)
def link_telegram() -> TelegramLinkItem:
    """Link Telegram: an address, good for 15 minutes and once, that links the chat in which it is opened."""
    key = app.header(HEADER)
    faults = key_faults(key)
    if faults:
        raise RequestUnprocessable(faults)
    request = None if key is None else f"request#{app.user.id}#telegram link#{key}"
    return service.link_telegram(app.user, request=request)


@app.delete("/v1/account/telegram/link", openapi_extensions=OWN)
def unlink_telegram() -> TelegramLinked:
    """Unlink Telegram: send nothing more to the chat."""
    return service.unlink_telegram(app.user, cause=app.request_id)


@app.get("/v1/account/event/list", openapi_extensions=OWN)
def list_events() -> Events:
    """List Events, oldest first: what happened to one's money and account. `after` goes on from a known place."""
    return events.list_events(app.user.id, app.query(EventQuery))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the Account API."""
    return app.resolve(event, context)
