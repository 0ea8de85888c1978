"""Whether the admin of a good token may still use the admin API: Cognito is asked, because tokens outlive their admin.

An id token is valid until it expires, whatever happened to its admin since. Each container asks for an admin's standing
twice a minute. It believes an answer for `BELIEVED_FOR_S` at most: then an admin who was disabled, signed out or taken
from the group is out. While Cognito does not answer, requests are refused once the last answer is older than that.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from shared.api.identity import AdminSession
from shared.errors import AccessDenied, ServiceUnavailable
from shared.observability import logger
from shared.process_state import on_reset
from shared.user_pool import AdminStanding, find_admin_standing

BELIEVED_FOR_S = 60.0
"""The largest age of an answer on which a request is let in."""

ASKED_EVERY_S = 30.0
"""The age from which Cognito is asked again, so that it may fail for half a minute without anybody noticing."""

RETRY_AFTER_S = 5.0
"""How long Cognito is left alone after it gave no answer."""


@dataclass(slots=True)
class _Answer:
    """What Cognito said of one admin, and when."""

    standing: AdminStanding | None
    given_at: float
    ask_again_at: float


_answers: dict[str, _Answer] = {}


def require_standing(session: AdminSession) -> None:
    """Raise AccessDenied for the session of an admin who is none any more, or who was signed out after it began.

    Raise ServiceUnavailable when Cognito has not answered for `BELIEVED_FOR_S`.
    """
    standing = _standing_of(session)
    if standing is None or not standing.enabled:
        raise AccessDenied("the admin is disabled or deleted", authenticated=False)
    if session.signed_in_at <= standing.signed_out_at:
        raise AccessDenied("the admin was signed out after this sign-in", authenticated=False)
    if not standing.in_group:
        raise AccessDenied("forbidden", authenticated=True)


def remember(admin_id: str, standing: AdminStanding | None) -> None:
    """Keep what Cognito said of an admin just now."""
    now = time.time()
    _answers[admin_id] = _Answer(standing, given_at=now, ask_again_at=now + ASKED_EVERY_S)


@on_reset
def forget_answers() -> None:
    """Make each admin's next request ask Cognito."""
    _answers.clear()


def _standing_of(session: AdminSession) -> AdminStanding | None:
    # Not the monotonic clock: it may stand still while a container is frozen between two requests.
    now = time.time()
    known = _answers.get(session.admin_id)
    # An age below zero is a clock that was set back, which says nothing about the true age.
    believed = known if known is not None and 0 <= now - known.given_at < BELIEVED_FOR_S else None
    if believed is not None and now < believed.ask_again_at:
        return believed.standing
    try:
        standing = find_admin_standing(session.username, admin_id=session.admin_id)
    except ServiceUnavailable as error:
        if believed is None:
            raise
        logger.warning("admin_standing_not_read", why=str(error), age_s=round(now - believed.given_at))
        believed.ask_again_at = now + RETRY_AFTER_S
        return believed.standing
    remember(session.admin_id, standing)
    return standing
