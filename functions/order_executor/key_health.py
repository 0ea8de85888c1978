"""What an entry's fresh read says of its key, for the record. Denies nothing: that is admission's."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from datetime import datetime

from pynamodb.exceptions import PynamoDBException

from shared.clock import utc_now
from shared.exchange.venue_views import AccountView
from shared.models.exchange_key import ExchangeKey
from shared.models.key_readiness import KeyReadiness
from shared.observability import logger
from shared.trading.readiness import Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict that the record does not have yet."""

    key: ExchangeKey
    verdict: Verdict
    view: AccountView
    checked_at: datetime


def compare(
    known: KeyReadiness | None, key: ExchangeKey, verdict: Verdict, *, view: AccountView, checked_at: datetime
) -> Finding | None:
    """Return what is worth a record: the key's first verdict, one in place of an old one, or another one."""
    if known is not None and known.counts_for(key, now=utc_now()) and known.reasons == list(verdict.reasons):
        return None
    return Finding(key=key, verdict=verdict, view=view, checked_at=checked_at)


async def keep(finding: Finding | None) -> None:
    """Record a finding, if there is one. Should that fail, the key's next entry or inspection finds the same."""
    if finding is None:
        return
    details = asdict(finding.view.setup) | {"wallet_balance": format(finding.view.wallet_balance, "f")}
    try:
        await asyncio.to_thread(
            KeyReadiness.record, finding.key, finding.verdict, details=details, checked_at=finding.checked_at
        )
    except PynamoDBException as error:
        logger.warning("verdict_not_recorded", api_key_id=finding.key.id, error=type(error).__name__)
