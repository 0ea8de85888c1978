"""The one place from which a user hears of their plan. Writes no text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from shared.observability import count_outcome, logger


class Kind(StrEnum):
    """What there is to tell."""

    PLAN_CHANGED = "PLAN_CHANGED"
    PLAN_LAPSED = "PLAN_LAPSED"
    PAYMENT_FAILED = "PAYMENT_FAILED"


def tell(kind: Kind, user_id: str, *, cause: str, values: Mapping[str, str], at: datetime) -> None:
    """Tell the user, once for each cause."""
    logger.info("notice_due", kind=kind.value, user_id=user_id, cause=cause)
    count_outcome("notice_due", kind=kind.value)
