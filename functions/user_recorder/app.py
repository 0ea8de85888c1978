"""Lambda `UserRecorder`: called by the user pool after a confirmation and after a sign-in. Decides on no sign-in."""

from __future__ import annotations

from typing import Any

from functions.user_recorder.schemas import PoolEvent
from shared.models.user import upsert_user
from shared.observability import count_outcome, logger


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Create or update the user's record, and return the event, as Cognito requires.

    After a confirmation an error is raised: Cognito repeats the call, and operators see it. After a sign-in it is not,
    because Cognito would refuse the sign-in; the next sign-in or Get User Overview updates the record.
    """
    del context
    source = str(event.get("triggerSource", ""))
    if source.startswith("PostConfirmation_"):
        upsert_user(PoolEvent.model_validate(event).account)
    elif source.startswith("PostAuthentication_"):
        try:
            upsert_user(PoolEvent.model_validate(event).account)
        except Exception as error:  # noqa: BLE001 - where the event ends: a sign-in must not fail for our bookkeeping
            # The `sub`, because a user name may be an e-mail address.
            user_id = event.get("request", {}).get("userAttributes", {}).get("sub")
            logger.error("user_record_not_kept", error=type(error).__name__, user=user_id)
            count_outcome("user_record_not_kept")
    else:
        logger.warning("pool_event_ignored", trigger_source=source)
    return event
