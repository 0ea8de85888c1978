"""Inspects a stored key at once, for its user or an admin. The verdict is recorded, as the daily one is."""

from __future__ import annotations

from typing import TypedDict

from shared.api.answers import Id, Time
from shared.api.exchange_access import UNREACHABLE
from shared.clock import to_iso, utc_now
from shared.errors import ExchangeAuthorizationFailed, ExchangeError, SecretUnreadable, ServiceUnavailable
from shared.exchange import account_queries, key_inspection, key_status, lanes
from shared.models.exchange_key import ExchangeKey, TradeType
from shared.observability import logger
from shared.trading.connection import RefusalCode, refusals_of_setup
from shared.trading.execution import DenialReason
from shared.trading.readiness import KeyWarning
from shared.views.key_findings import Finding, text_of, warning_text


class InspectionItem(TypedDict):
    """Inspect Exchange Key: what the exchange says of the key now."""

    id: Id
    ready: bool
    reasons: list[Finding]
    warnings: list[Finding]
    checkedAt: Time


def inspect_key(key: ExchangeKey) -> InspectionItem:
    """Return what keeps the key from trading now, what deserves a warning, and what to change.

    Raise ServiceUnavailable if the exchange cannot be asked now.
    """
    started_at = utc_now()

    async def inspect() -> key_inspection.Inspection | None:
        try:
            async with lanes.background_work(lanes.DEFAULT_LANE, key_inspection.HELD_WEIGHT):
                return await key_inspection.inspect(key)
        except ExchangeAuthorizationFailed as error:
            await key_inspection.record_refusal(key, error, checked_at=started_at)
            return None

    try:
        found = account_queries.run(inspect())
    except ExchangeError as error:
        key_status.record_failure(key)
        logger.warning("exchange_not_reached", api_key_id=key.id, error=type(error).__name__, code=error.code)
        raise ServiceUnavailable(UNREACHABLE) from error
    except SecretUnreadable as error:
        raise ServiceUnavailable("the key's secret cannot be opened; replace it") from error
    if found is None:
        return _item(key, [DenialReason.KEY_UNAUTHORIZED], [], at=to_iso(started_at))
    key_status.record_success(key)
    reasons: list[RefusalCode] = list(found.verdict.reasons)
    if not key.trades_automatically:
        futures = key.trade_type is TradeType.FUTURES
        reasons = refusals_of_setup(found.view.setup, futures=futures, automated=False)
        reasons = [reason for reason in reasons if isinstance(reason, DenialReason)]
    return _item(key, reasons, list(found.verdict.warnings), at=to_iso(found.checked_at))


def _item(key: ExchangeKey, reasons: list[RefusalCode], warnings: list[KeyWarning], *, at: str) -> InspectionItem:
    return {
        "id": key.id,
        "ready": not reasons,
        "reasons": [Finding(code=reason.value, msg=text_of(reason)) for reason in reasons],
        "warnings": [Finding(code=warning.value, msg=warning_text(warning)) for warning in warnings],
        "checkedAt": at,
    }
