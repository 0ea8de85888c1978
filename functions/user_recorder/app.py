"""Lambda `UserRecorder`: called by the user pool after a confirmation and after a sign-in. Decides on no sign-in."""

from __future__ import annotations

from typing import Any

from functions.user_recorder.schemas import PoolEvent
from shared.models.user import keep_account
from shared.observability import count_outcome, logger


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Make or mend the user's record, and return the event as Cognito wants it back.

    After a confirmation an error goes up: Cognito repeats the call, and operators see it. After a sign-in it does not,
    because Cognito would refuse the sign-in for it; the next one, or a look at the user, mends the record.
    """
    del context
    source = str(event.get("triggerSource", ""))
    if source.startswith("PostConfirmation_"):
        keep_account(PoolEvent.model_validate(event).account)
    elif source.startswith("PostAuthentication_"):
        try:
            keep_account(PoolEvent.model_validate(event).account)
        except Exception as error:  # noqa: BLE001 - where the event ends: a sign-in must not fail for our bookkeeping
            logger.error("user_record_not_kept", error=type(error).__name__, user=event.get("userName"))
            count_outcome("user_record_not_kept")
    else:
        logger.warning("pool_event_ignored", trigger_source=source)
    return event
