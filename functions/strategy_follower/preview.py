"""Says what a follower's settings would have made of the last alerts, from records alone. Asks no exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from functions.strategy_follower.preview_schemas import (
    EquitySource,
    Preview,
    PreviewedAlert,
    PreviewQuery,
    RecordedOutcome,
)
from functions.strategy_follower.refusals import FollowRefusal, follow_fault
from functions.strategy_follower.schemas import Reason
from shared.admission import admit_balance
from shared.api.requests import fault, raise_faults
from shared.clock import to_iso, utc_now
from shared.config import settings
from shared.errors import OrderDenied, RequestUnprocessable
from shared.execution_snapshot import read_references
from shared.models.execution import Execution
from shared.models.follower import Follower, FollowerMode
from shared.models.key_balance import KeyBalance
from shared.models.performance_day import PerformanceDay
from shared.models.risk_profile import RiskProfile
from shared.models.trigger import Trigger
from shared.trading.entry_settings import EntrySettings, LossLimit, SizingType
from shared.trading.execution import DenialReason
from shared.trading.ids import execution_id
from shared.trading.loss_limit import AccountLosses, BookedResult
from shared.trading.preview import preview_entry
from shared.trading.risk import BASE_TAKER_RATE
from shared.trading.sizing import SizedOrder, SizingRules
from shared.trading.symbols import assets_of
from shared.views.follower_settings import settings_fields

ALERTS: Final = 30
_BEFORE: Final = timedelta(days=9)
"""A limit of 7 days, and the wallet before it."""

_UNKNOWN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MARKET": "The market when the alert came: entries are sized from the alert's own price.",
        "FILTERS": "The exchange's step and minimum then: no amount is rounded, and none is below the minimum.",
        "MARGIN": "The free margin and the leverage then: they may have allowed less.",
        "OPEN_PROFIT": "What was open then: a limit of losses counts what the account has really booked.",
        "OTHER_DENIALS": "Whether key, plan, market or an open position forbade it: `recorded` has what happened.",
    }
)


@dataclass(frozen=True, slots=True)
class _Records:
    """What the preview is made from."""

    executions: Mapping[str, Execution]
    results: Sequence[BookedResult]
    balance: KeyBalance | None
    mode: FollowerMode
    max_balance_usd: int | None
    rules: SizingRules

    def equity_at(self, execution: Execution | None, moment: datetime) -> tuple[Decimal, EquitySource] | None:
        """Return the equity at an alert: of its own entry, of the entry nearest in time, or of the key's balance."""
        if execution is not None and execution.equity is not None:
            return execution.equity, EquitySource.EXECUTION
        sized = [one for one in self.executions.values() if one.equity is not None]
        if sized:
            nearest = min(sized, key=lambda one: abs(one.received_at - moment))
            return nearest.equity or Decimal(0), EquitySource.NEAREST_EXECUTION
        if self.balance is not None:
            return self.balance.total_usd, EquitySource.KEY_BALANCE
        return None


def preview(follower: Follower, query: PreviewQuery) -> Preview:
    """Return what each of the last alerts would have opened, the latest first; raise the faults of the query."""
    chosen = _chosen(follower.chosen, query)
    references = asyncio.run(read_references([follower]))
    profile = references.profiles.get(follower.risk_profile_id)
    if query.risk_profile_id is not None:
        profile = RiskProfile.find(query.risk_profile_id)
        if profile is None:
            code = FollowRefusal.RISK_PROFILE_UNKNOWN
            unknown = follow_fault(code, param="riskProfileId", value=query.risk_profile_id)
            raise RequestUnprocessable([unknown | {"location": "query"}])
    key, user = references.keys.get(follower.api_key_id), references.users.get(follower.user_id)
    plan = references.plans.get(user.plan_id or "") if user is not None else None
    triggers = Trigger.latest_entries(follower.strategy_id, ALERTS)
    records = _Records(
        executions=Execution.find_many(execution_id(one.id, follower.id) for one in triggers),
        results=_results(follower, triggers),
        balance=KeyBalance.find(follower.api_key_id),
        mode=FollowerMode(query.mode) if query.mode is not None else follower.mode,
        max_balance_usd=plan.max_balance_usd if plan is not None else None,
        rules=SizingRules(
            risk_pct=profile.percentage if profile is not None else Decimal(100),
            taker_rate=key.taker_rate(follower.symbol, now=utc_now()) if key is not None else BASE_TAKER_RATE,
            allowance_pct=settings().entry_allowance_pct,
            max_effective_leverage=settings().max_effective_leverage,
            chosen=chosen,
        ),
    )
    shown = settings_fields(Follower(mode=records.mode, entry_settings=chosen))
    return {
        "settings": {**shown, "riskPercentage": records.rules.risk_pct},
        "unknown": [Reason(code=code, msg=text) for code, text in _UNKNOWN.items()],
        "items": [_item(trigger, follower, records) for trigger in triggers],
    }


def _chosen(stored: EntrySettings, query: PreviewQuery) -> EntrySettings:
    """Return the settings that the query asks for, the stored ones where it names none."""
    sizing = SizingType(query.sizing) if query.sizing is not None else None
    if (query.value is not None) != (sizing is not None and sizing is not SizingType.RISK):
        message = "must be given with sizing NOTIONAL or EQUITY, and only then"
        raise_faults([fault(message, param="value", location="query", value=query.value)])
    changed = stored if sizing is None else replace(stored, sizing=sizing, value=query.value)
    limit = stored.loss_limit
    if query.loss_limit_day is not None or query.loss_limit_week is not None:
        limit = LossLimit(day_pct=query.loss_limit_day, week_pct=query.loss_limit_week)
    return replace(
        changed,
        max_notional=query.max_notional or stored.max_notional,
        max_leverage=query.max_leverage or stored.max_leverage,
        loss_limit=limit,
    )


def _results(follower: Follower, triggers: Sequence[Trigger]) -> list[BookedResult]:
    if not triggers:
        return []
    first = min(one.created_at for one in triggers) - _BEFORE
    quote = assets_of(follower.symbol)[1]
    days = PerformanceDay.strategy_days(follower.user_id, follower.api_key_id, since=first)
    return [result for day in days for result in day.results_in(quote)]


def _item(trigger: Trigger, follower: Follower, records: _Records) -> PreviewedAlert:
    execution = records.executions.get(execution_id(trigger.id, follower.id))
    known = records.equity_at(execution, trigger.created_at)
    sized: SizedOrder | None = None
    denied: DenialReason | None = None
    if known is not None:
        try:
            sized = _size(trigger, known[0], records)
        except OrderDenied as error:
            denied = DenialReason(error.reason)
    return {
        "triggerId": trigger.id,
        "createdAt": to_iso(trigger.created_at),
        "side": trigger.side,
        "orderPrice": trigger.price,
        "stop": trigger.stop,
        "equity": known[0] if known is not None else None,
        "equityFrom": known[1] if known is not None else None,
        "amount": sized.amount if sized is not None else None,
        "notional": sized.notional_usdt if sized is not None else None,
        "risk": sized.risk_usdt if sized is not None else None,
        "caps": list(sized.caps) if sized is not None else [],
        "denied": denied,
        "recorded": _recorded(execution),
    }


def _size(trigger: Trigger, equity: Decimal, records: _Records) -> SizedOrder:
    if records.mode is FollowerMode.EXITS_ONLY:
        raise OrderDenied(DenialReason.EXITS_ONLY)
    if trigger.overtaken:
        raise OrderDenied(DenialReason.SUPERSEDED)
    admit_balance(equity, max_balance_usd=records.max_balance_usd)
    limit = records.rules.chosen.loss_limit
    losses = AccountLosses(results=records.results, open_profit=Decimal(0), wallet=equity)
    if limit is not None and losses.reached(limit, now=trigger.created_at) is not None:
        raise OrderDenied(DenialReason.LOSS_LIMIT)
    return preview_entry(trigger.signal(), equity=equity, rules=records.rules)


def _recorded(execution: Execution | None) -> RecordedOutcome | None:
    if execution is None:
        return None
    return {"status": execution.state, "reason": execution.reason, "amount": execution.amount}
