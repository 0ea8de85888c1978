"""The last verdict on an exchange key, in words. Knows no HTTP, and asks nothing of the exchange."""

from __future__ import annotations

from typing import TypedDict

from shared.api.answers import Id, Time
from shared.clock import to_iso, utc_now
from shared.models.exchange_key import ExchangeKey
from shared.models.key_readiness import KeyReadiness
from shared.trading.execution import DenialReason
from shared.trading.readiness import KeyWarning
from shared.views.key_findings import Finding, text_of, warning_text


class KeyVerdict(TypedDict):
    """Show Readiness: the last verdict on a key."""

    id: Id
    ready: bool | None
    """Null where this API key has not been judged."""
    current: bool
    """False if the verdict is of more than 26 hours ago, or of an API key that has been replaced."""
    reasons: list[Finding]
    """Why entries are denied."""
    warnings: list[Finding]
    checkedAt: Time | None
    failedAt: Time | None
    """When an inspection failed after the verdict."""
    failure: str | None


def show_readiness(key: ExchangeKey) -> KeyVerdict:
    """Return the verdict."""
    found = KeyReadiness.find(key.id)
    judged = found is not None and found.checked_at is not None and found.api_key == key.api_key
    if found is None or not judged:
        return {
            "id": key.id,
            "ready": None,
            "current": False,
            "reasons": [],
            "warnings": [],
            "checkedAt": None,
            "failedAt": None if found is None or found.failed_at is None else to_iso(found.failed_at),
            "failure": None if found is None else found.failure,
        }
    reasons = found.reasons or []
    return {
        "id": key.id,
        "ready": not reasons,
        "current": found.is_valid_for(key, now=utc_now()),
        "reasons": [{"code": code, "msg": text_of(DenialReason(code))} for code in reasons],
        "warnings": [{"code": code, "msg": warning_text(KeyWarning(code))} for code in found.warnings or []],
        "checkedAt": None if found.checked_at is None else to_iso(found.checked_at),
        "failedAt": None if found.failed_at is None else to_iso(found.failed_at),
        "failure": found.failure,
    }
