"""The routes of one function of the Account API: each user's own account, by the token alone. Knows no endpoint.

A disabled user reads and closes, and opens nothing: a route that opens something is declared with
`openapi_extensions=OPENS`. A closed account, whose last token is valid for some minutes more, changes nothing either.
"""

from __future__ import annotations

from typing import Any, Final

from shared.api.answers import OWN
from shared.api.identity import user_of
from shared.api.json_api import JsonApi
from shared.api.maintenance import refuse_during_maintenance
from shared.errors import AccessDenied
from shared.models.user import User, create_user
from shared.observability import logger

DISABLED: Final = "account disabled"

_OPENING = "x-lockstep-opens"

OPENS: Final[dict[str, Any]] = OWN | {_OPENING: True}
"""Marks a route that opens something, such as a key, a follow or a subscription: disabled users get a 403."""


class AccountApi(JsonApi):
    """The routes of one function of the Account API."""

    def authenticate(self) -> None:
        """Find the user's record, or make it; raise AccessDenied for others, and for a disabled user who opens.

        Raise it for a closed account that changes anything, too.

        The user pool's trigger makes the record after a sign-up; where it failed or does not exist, the first request
        does. Raise ServiceUnavailable during maintenance.
        """
        account = user_of(self.current_event.raw_event)
        logger.append_keys(user_id=account.id)
        refuse_during_maintenance()
        user = User.find(account.id) or create_user(account)
        if not user.active and (self._opens or (user.closed_at is not None and self._changes)):
            raise AccessDenied(DISABLED, authenticated=True)
        self.context["user"] = user

    @property
    def user(self) -> User:
        """The record of the user who sent the request."""
        user: User = self.context["user"]
        return user

    @property
    def _changes(self) -> bool:
        return self.current_event.http_method in {"POST", "PUT"}

    @property
    def _opens(self) -> bool:
        route = self.context.get("_route")
        return route is not None and bool((route.openapi_extensions or {}).get(_OPENING))
