"""Records what an entry's fresh read of the account says about its key, or has the inspector look at the key.

Denies nothing: `shared.admission` does.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from datetime import datetime

from pynamodb.exceptions import PynamoDBException

from shared.admission import EntryContext, judge_view
from shared.clock import utc_now
from shared.exchange.venue_views import AccountView
from shared.messages import KeyMessage, send_keys
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.key_readiness import MARGIN_ASSETS, KeyReadiness
from shared.observability import logger
from shared.queues import Queue
from shared.trading.readiness import KeyPermissions, Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict that the record does not have yet."""

    key: ExchangeKey
    verdict: Verdict
    view: AccountView
    margin_asset: str
    checked_at: datetime


def known_permissions(context: EntryContext) -> KeyPermissions | None:
    """Return the key's permissions by its last verdict, of a day ago at most."""
    if context.key is None or context.readiness is None:
        return None
    return context.readiness.permissions(context.key, now=utc_now())


def compare(context: EntryContext, view: AccountView, *, margin_asset: str, checked_at: datetime) -> Finding | None:
    """Return the verdict if the record lacks it: the key's first, one to replace an old one, or a different one.

    One that denies is recorded anew each time, because it spares the entries of the next hour this read.
    """
    known, key = context.readiness, context.key
    if key is None or not view.permissions_fresh:
        return None
    verdict = judge_view(view)
    same = known is not None and known.is_valid_for(key, now=utc_now()) and known.reasons == list(verdict.reasons)
    if same and verdict.ready:
        return None
    return Finding(key=key, verdict=verdict, view=view, margin_asset=margin_asset, checked_at=checked_at)


async def record(finding: Finding | None) -> None:
    """Record a finding, if there is one. When that fails, the key's next entry or inspection finds the same."""
    if finding is None:
        return
    details = asdict(finding.view.setup) | {
        "wallet_balance": format(finding.view.wallet_balance, "f"),
        MARGIN_ASSETS: [finding.margin_asset],
    }
    try:
        await asyncio.to_thread(
            KeyReadiness.record, finding.key, finding.verdict, details=details, checked_at=finding.checked_at
        )
    except PynamoDBException as error:
        logger.warning("verdict_not_recorded", api_key_id=finding.key.id, error=type(error).__name__)


async def request_inspection(execution: Execution) -> None:
    """Queue an inspection of the execution's key, so that its next alert need not wait for the daily one."""
    message = KeyMessage(api_key_id=execution.api_key_id, asked_at=utc_now())
    await asyncio.to_thread(send_keys, [message], queue=Queue.KEYS)
