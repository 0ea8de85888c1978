"""Whether an entry may happen: our own records first, then the account, then the market. Raises, places nothing.

Exits never come through here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.clock import utc_now
from shared.config import settings
from shared.errors import OrderDenied
from shared.exchange.venue_views import AccountView
from shared.losses import limits_losses
from shared.models.account_claim import AccountClaim
from shared.models.base import read_together
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.models.execution import Execution
from shared.models.follower import Follower, FollowerMode
from shared.models.key_readiness import KeyReadiness
from shared.models.performance_day import PerformanceDay
from shared.models.plan import Plan
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.models.trading_switch import TradingSwitch
from shared.models.trigger import Trigger
from shared.models.user import User
from shared.trading.brackets import maintenance_rate, notional_cap
from shared.trading.entry_price import MarketPrices
from shared.trading.entry_settings import PROFILE_ALONE
from shared.trading.execution import DenialReason, Desired
from shared.trading.exits import UNCHANGED, Target
from shared.trading.filters import SymbolFilters
from shared.trading.freshness import fresh_until, judge_freshness
from shared.trading.loss_limit import BookedResult
from shared.trading.plan_maximum import is_above
from shared.trading.readiness import Verdict, judge_account
from shared.trading.signal import targets_ahead
from shared.trading.sizing import OpenedPart, SizedOrder, SizingRules, deny_crossed_stop, size_order
from shared.trading.symbols import assets_of
from shared.trading.updates import NOTHING, Requested

_ENTRY_MARGIN_S = 2.0
"""Time to judge and send a postponed entry before its trigger is stale."""


@dataclass(frozen=True, slots=True)
class EntryContext:
    """Our own records about a follower at one moment: all that an entry depends on, its account and market aside."""

    follower: Follower | None
    user: User | None
    key: ExchangeKey | None
    plan: Plan | None
    strategy: Strategy | None
    readiness: KeyReadiness | None
    """The last verdict on the key; the fresh read of the account decides."""
    superseded: bool
    """The strategy has an alert that is newer than the execution's trigger."""
    closed: bool
    """An admin has closed the strategy or the follower at a later place in time."""
    halted: list[str]
    claim: AccountClaim | None
    """The latest claim on the key's account and the symbol."""
    account_in_use: bool
    """The claim holds, and is another key's."""
    results: tuple[BookedResult, ...]
    """What our executions on the account have earned lately; none are read for a follower without a loss limit."""
    target: Target
    """What exits that came before the entry, and mean its position, ask of it."""
    requested: Requested
    """What updates of the same kind ask of its stop."""


def read_context(execution: Execution, *, lane: str) -> EntryContext:
    """Read all our records that may forbid an entry by a lane (blocking).

    The claim on the account is read after the others, which are of one moment; the entry's intent is written on
    condition that it is free.
    """
    halts = TradingSwitch.scopes(strategy_id=execution.strategy_id, lane=lane)
    days = []
    if limits_losses(execution):
        days = PerformanceDay.recent_keys(execution.user_id, execution.api_key_id, now=utc_now())
    follower, user, key, plan, strategy, readiness, alerts, *further = read_together(
        (Follower, execution.strategy_id, execution.follower_key),
        (User, execution.user_id, None),
        (ExchangeKey, execution.api_key_id, None),
        (Plan, execution.plan_id or "-", None),
        (Strategy, execution.strategy_id, None),
        (KeyReadiness, execution.api_key_id, None),
        (StrategyAlerts, execution.strategy_id, None),
        *((TradingSwitch, scope, None) for scope in halts),
        # In the same request: a limit of losses costs no further one.
        *((PerformanceDay, *day) for day in days),
    )
    switches, recent = further[: len(halts)], further[len(halts) :]
    others = _exits_of_others(alerts, execution)
    quote = assets_of(execution.symbol)[1]
    alias = key.account_alias if key is not None else None
    claim = AccountClaim.find(alias, execution.symbol) if alias is not None else None
    return EntryContext(
        follower=follower,
        user=user,
        key=key,
        plan=plan,
        strategy=strategy,
        readiness=readiness,
        # An admin's trigger is for some followers only, so it is superseded by alerts but supersedes none.
        superseded=alerts is not None and alerts.supersedes(execution.place),
        closed=_was_closed(alerts, execution) or _was_closed(follower, execution),
        halted=[switch.scope for switch in switches if switch is not None and switch.halted],
        claim=claim,
        account_in_use=claim is not None and claim.holds_against(execution.api_key_id),
        target=_target_of_exits(alerts, execution, without=others),
        results=tuple(result for day in recent if day is not None for result in day.results_in(quote)),
        requested=_requested_of_updates(alerts, execution, without=others),
    )


def _exits_of_others(alerts: StrategyAlerts | None, execution: Execution) -> set[str]:
    """Return the triggers of an admin's recent exits that mean the entry, but name other followers than its own."""
    recent = [] if alerts is None else alerts.exits_of(execution.place, side=execution.side)
    for_some = [one.trigger_id for one in recent if one.for_some]
    # The triggers have the names, because each entry reads the strategy's record.
    triggers = Trigger.find_many(for_some, consistent=True)
    meant = {one.id for one in triggers.values() if execution.follower_id in (one.follower_ids or ())}
    return {*for_some} - meant


def _target_of_exits(alerts: StrategyAlerts | None, execution: Execution, *, without: Collection[str]) -> Target:
    if alerts is None:
        return UNCHANGED
    size = execution.position_size
    return alerts.target_of(execution.place, side=execution.side, size_at_entry=size, without=without)


def _requested_of_updates(
    alerts: StrategyAlerts | None, execution: Execution, *, without: Collection[str]
) -> Requested:
    if alerts is None:
        return NOTHING
    return alerts.requested_of(execution.place, side=execution.side, without=without)


def _was_closed(record: StrategyAlerts | Follower | None, execution: Execution) -> bool:
    """Return whether an admin's close that the record holds is of a later place in time than the execution."""
    if record is None:
        return False
    if record.closed_place is not None and execution.place <= record.closed_place:
        return True
    return record.closed_seq is not None and execution.seq <= record.closed_seq


def admit_order_of_arrival(execution: Execution) -> None:
    """Raise OrderDenied for an execution of an alert that came after a newer one."""
    # Not even its close is carried out: the newer alert has closed what was to be closed, and what it left stays.
    if execution.overtaken:
        raise OrderDenied(DenialReason.SUPERSEDED, "a newer alert had been accepted before it came")


def admit_follower(context: EntryContext, execution: Execution) -> None:
    """Raise OrderDenied when the follower, its user, key, plan or strategy may not open anything now."""
    for denied in follower_denials(context, execution):
        raise denied


def follower_denials(context: EntryContext, execution: Execution) -> Iterator[OrderDenied]:
    """Yield every reason why the follower, its user, key, plan or strategy may not open anything now."""
    if execution.desired is Desired.CLOSED or context.closed:
        yield OrderDenied(DenialReason.CLOSE_REQUESTED)
    if context.halted:
        yield OrderDenied(DenialReason.HALTED, ", ".join(context.halted))
    if context.strategy is None or not context.strategy.active:
        yield OrderDenied(DenialReason.STRATEGY_INACTIVE)
    if context.follower is None or not context.follower.active:
        yield OrderDenied(DenialReason.FOLLOWER_INACTIVE)
    elif context.follower.mode is FollowerMode.EXITS_ONLY:
        yield OrderDenied(DenialReason.EXITS_ONLY)
    if context.user is None or not context.user.active:
        yield OrderDenied(DenialReason.USER_DISABLED)
    yield from _key_denials(context.key)
    if context.plan is None or not context.plan.strategy_automated:
        yield OrderDenied(DenialReason.PLAN_WITHOUT_AUTOMATION)
    if context.user is not None and context.user.plan_lapsed:
        yield OrderDenied(DenialReason.PLAN_LAPSED)


def _key_denials(key: ExchangeKey | None) -> Iterator[OrderDenied]:
    if key is None or not key.active:
        yield OrderDenied(DenialReason.KEY_INACTIVE)
    if key is not None and key.trade_type is not TradeType.FUTURES:
        yield OrderDenied(DenialReason.KEY_NOT_FUTURES)
    if key is not None and key.strategy_type is not StrategyType.AUTOMATED:
        yield OrderDenied(DenialReason.KEY_INACTIVE, "the key is for manual trading")


def admit_owner(context: EntryContext) -> str:
    """Return the alias of the key's account; raise OrderDenied while it is unknown, or another key has the account."""
    alias = context.key.account_alias if context.key is not None else None
    if alias is None:
        raise OrderDenied(DenialReason.ACCOUNT_UNKNOWN)
    if context.account_in_use:
        raise OrderDenied(DenialReason.ACCOUNT_IN_USE)
    return alias


def admit_age(
    context: EntryContext, execution: Execution, *, now: datetime, market_price: Decimal | None = None
) -> None:
    """Raise OrderDenied when the trigger is stale, superseded, or the market has moved away from it."""
    reason = judge_freshness(
        fired_at=execution.fired_at,
        received_at=execution.received_at,
        now=now,
        superseded=context.superseded,
        order_price=execution.order_price,
        stop=execution.stop,
        market_price=market_price,
        max_age_s=settings().max_alert_age_s,
        max_chase=settings().max_chase if execution.max_chase is None else execution.max_chase,
        max_distance_pct=settings().max_price_distance_pct,
    )
    if reason is not None:
        raise OrderDenied(reason)


def latest_entry_in_s(execution: Execution, *, now: datetime) -> float:
    """Return in how many seconds an entry can begin at the latest, before its trigger is too old."""
    until = fresh_until(
        fired_at=execution.fired_at, received_at=execution.received_at, max_age_s=settings().max_alert_age_s
    )
    return (until - now).total_seconds() - _ENTRY_MARGIN_S


def judge_view(view: AccountView) -> Verdict:
    """Return whether the account, as it was just read, may be traded."""
    return judge_account(view.setup, wallet_balance=view.wallet_balance)


def admit_account(view: AccountView, *, max_balance_usd: int | None) -> None:
    """Raise OrderDenied for an account that may not be traded, or one above its plan."""
    verdict = judge_view(view)
    if not verdict.ready:
        raise OrderDenied(verdict.reasons[0], ", ".join(verdict.reasons[1:]))
    admit_balance(view.wallet_balance, max_balance_usd=max_balance_usd)


def admit_balance(wallet_balance: Decimal, *, max_balance_usd: int | None) -> None:
    """Raise OrderDenied for a balance above its plan's maximum."""
    if max_balance_usd is not None and is_above(wallet_balance, Decimal(max_balance_usd)):
        raise OrderDenied(DenialReason.BALANCE_OVER_PLAN_MAXIMUM, f"{wallet_balance} > {max_balance_usd}")


def admit_market(
    context: EntryContext, execution: Execution, *, filters: SymbolFilters, prices: MarketPrices, now: datetime
) -> list[Decimal]:
    """Return the take-profits that the market has passed.

    Raise OrderDenied when it has crossed the stop, has moved too far, or has passed every take-profit. How far it has
    moved is judged by the last price and by the best offer, which the entry would pay.
    """
    signal = execution.signal()
    deny_crossed_stop(signal, filters=filters, market_price=prices.last)
    offered = prices.offered_to(signal.side) or prices.last
    farther = max(prices.last, offered, key=lambda price: abs(price - signal.order_price))
    admit_age(context, execution, now=now, market_price=farther)
    ahead = targets_ahead(signal, market_price=prices.last)
    passed = [price for price in signal.take_profits if price not in ahead]
    if passed and not ahead:
        raise OrderDenied(DenialReason.TARGET_PASSED, f"market price {prices.last:f}")
    return passed


def size(
    execution: Execution,
    view: AccountView,
    filters: SymbolFilters,
    *,
    taker_rate: Decimal,
    opened: OpenedPart | None = None,
) -> SizedOrder:
    """Return the order by the follower's profile and settings; raise OrderDenied.

    Where a part was `opened` already, both together do; `view` is from before it.
    """
    cap = notional_cap(view.brackets, leverage=view.leverage)
    # The liquidation price depends on the maintenance rate of the largest notional that the caps allow.
    reachable = min(cap, min(view.wallet_balance, view.margin_balance) * settings().max_effective_leverage)
    state = view.state(
        maintenance_margin_rate=maintenance_rate(view.brackets, notional_usdt=reachable), bracket_notional_cap=cap
    )
    return size_order(
        signal=execution.signal(),
        account=state,
        filters=filters,
        rules=SizingRules(
            risk_pct=execution.risk_pct,
            taker_rate=taker_rate,
            allowance_pct=settings().entry_allowance_pct,
            max_effective_leverage=settings().max_effective_leverage,
            chosen=execution.entry_settings or PROFILE_ALONE,
        ),
        prices=view.prices,
        opened=opened,
    )
