"""Compares the exchange's books with ours, while positions are open and when everything is over. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from local.faults.worlds.exchange import SYMBOL
from local.faults.worlds.people import Person
from local.faults.worlds.verdict import Verdict
from local.faults.worlds.world import World
from local.paper_exchange import state
from local.paper_exchange.accounts import Account
from local.paper_exchange.orders import AlgoOrder, IncomeType, Order
from shared.config import settings
from shared.models.follower_performance import FollowerPerformance
from shared.models.position_slot import PositionSlot
from shared.models.trigger_count import TriggerCount
from shared.trading.execution import ExecutionState
from shared.trading.ids import Leg, OrderRef, parse_client_order_id

LIVING_BOUND_MS = 5_000
KILLED_BOUND_MS = 25_000
OWNER_BOUND_MS = 150_000
"""The owner cancelled the stop: the watcher's next run finds it, or the one after, if that one's worker is killed."""

_ROUNDING = Decimal("0.000001")
_RESULTS = (IncomeType.REALIZED_PNL, IncomeType.COMMISSION, IncomeType.FUNDING_FEE)


def while_open(world: World) -> list[str]:
    """Return the violations while positions are open and nothing is in progress."""
    return [
        *(violation for person in world.people for violation in _protected(world, person)),
        *(violation for person in world.people for violation in _flat(world, person)),
        *(
            f"execution {execution.id} is not at rest: {execution.state} since {execution.state_times}"
            for execution in world.active()
            if execution.state not in {ExecutionState.PROTECTED, ExecutionState.ENTRY_UNKNOWN}
        ),
    ]


def at_the_end(world: World) -> list[str]:
    """Return the violations when everything is over."""
    return [
        *_ends(world),
        *_nakedness(world),
        *(violation for person in world.people for violation in _account(world, person)),
        *(f"dead letter: {body}" for body in world.queues.dead_letters),
    ]


def summarize(world: World, verdict: Verdict) -> None:
    """Write the world's figures into its verdict."""
    executions = world.executions()
    verdict.executions = len(executions)
    verdict.ends = Counter(f"{one.state.value} {one.close_reason or one.reason or ''}".strip() for one in executions)
    verdict.happened = Counter(world.chances.happened)
    world.trace.record(state.encode(world.exchange.venue))
    verdict.fingerprint = world.trace.digest
    for naked in world.exchange.naked:
        if not naked.by_owner:
            lasted_ms = naked.lasted_ms(_now_ms(world), bans=world.exchange.random_faults.bans)
            if _harms_workers(world):
                verdict.longest_naked_killed_ms = max(verdict.longest_naked_killed_ms, lasted_ms)
            else:
                verdict.longest_naked_ms = max(verdict.longest_naked_ms, lasted_ms)


def _protected(world: World, person: Person) -> Iterator[str]:
    account = _account_of(world, person)
    amount = account.position(SYMBOL).amount
    standing = [order for order in account.open_orders(SYMBOL) if order.reduce_only]
    if not amount:
        return
    targets = sum((order.remaining for order in standing if _leg(order) is not Leg.STOP), Decimal(0))
    if targets > abs(amount):
        yield f"{person.record.id}: take-profits of {targets} for a position of {amount}"
    if not any(algo.close_position for algo in account.open_algos(SYMBOL)):
        yield f"{person.record.id}: a position of {amount} without a stop"


def _flat(world: World, person: Person) -> Iterator[str]:
    """Yield a violation if our orders are left on an account without an open execution."""
    account = _account_of(world, person)
    if any(execution.follower_id == person.record.id for execution in world.active()):
        return
    standing: list[Order | AlgoOrder] = [*account.open_orders(SYMBOL), *account.open_algos(SYMBOL)]
    left = [leg for order in standing if (leg := _leg(order)) is not None]
    if left:
        yield f"{person.record.id}: orders are left on a flat account: {left}"


def _ends(world: World) -> Iterator[str]:
    for execution in world.executions():
        if execution.active:
            yield f"execution {execution.id} has no end: {execution.state}, {execution.state_times}"
        elif execution.state is ExecutionState.CLOSED and not (execution.close_reason or execution.reason):
            yield f"execution {execution.id} was closed without a reason"
        elif execution.state is not ExecutionState.CLOSED and not execution.reason:
            yield f"execution {execution.id} ended {execution.state} without a reason"
    for trigger in world.triggers():
        if trigger.active:
            yield f"trigger {trigger.id} is still active"
        if TriggerCount.total_active(trigger.id):
            yield f"trigger {trigger.id} counts {TriggerCount.total_active(trigger.id)} active executions"
    followers = len(world.people)
    by_trigger = Counter(execution.trigger_id for execution in world.executions())
    for trigger in world.triggers():
        if by_trigger[trigger.id] != followers:
            yield f"trigger {trigger.id} has {by_trigger[trigger.id]} executions for {followers} followers"


def _nakedness(world: World) -> Iterator[str]:
    bound_ms = KILLED_BOUND_MS if _harms_workers(world) else LIVING_BOUND_MS
    for naked in world.exchange.naked:
        lasted_ms = naked.lasted_ms(_now_ms(world), bans=world.exchange.random_faults.bans)
        if lasted_ms > (OWNER_BOUND_MS if naked.by_owner else bound_ms):
            yield f"{naked.api_key[:8]}: {lasted_ms} ms without a stop, from {naked.began_ms}"


def _account(world: World, person: Person) -> Iterator[str]:
    account = _account_of(world, person)
    amount = account.position(SYMBOL).amount
    if amount:
        yield f"{person.record.id}: a position of {amount} is left"
    if account.open_orders(SYMBOL) or account.open_algos(SYMBOL):
        left = [*map(_leg, account.open_orders(SYMBOL)), *map(_leg, account.open_algos(SYMBOL))]
        yield f"{person.record.id}: orders are left on a flat account: {left}"
    yield from _entries(account)
    yield from _books(world, person, account)


def _entries(account: Account) -> Iterator[str]:
    filled = Counter(
        ref.execution_id
        for order in account.orders.values()
        if (ref := _ref(order)) is not None and ref.leg is Leg.ENTRY and order.executed
    )
    yield from (f"execution {one} was entered {count} times" for one, count in filled.items() if count > 1)


def _books(world: World, person: Person, account: Account) -> Iterator[str]:
    ours = [execution for execution in world.executions() if execution.follower_id == person.record.id]
    booked = sum((execution.profit or Decimal(0) for execution in ours), Decimal(0))
    theirs = sum((one.amount for one in account.incomes if one.income_type in _RESULTS), Decimal(0))
    if abs(booked - theirs) > _ROUNDING * (1 + len(account.trades)):
        yield f"{person.record.id}: {booked} was booked, {theirs} is in the exchange's books"
    performance = FollowerPerformance.find(person.record.id)
    recorded = performance.total_profit if performance is not None else Decimal(0)
    if recorded != booked:
        yield f"{person.record.id}: the performance says {recorded}, its executions {booked}"
    slot = PositionSlot.find(person.key.id, "BTC/USDT")
    if slot is not None and slot.execution_id is not None:
        yield f"{person.record.id}: its slot is still taken by {slot.execution_id}"
    entered = {ref.execution_id for o in account.orders.values() if o.executed and (ref := _ref(o)) is not None}
    for execution in ours:
        if execution.id in entered and execution.state is not ExecutionState.CLOSED:
            yield f"execution {execution.id} has traded, and says {execution.state}"
        if execution.id in entered and execution.profit is None:
            yield f"execution {execution.id} has traded, and was not booked ({execution.reason})"


def _harms_workers(world: World) -> bool:
    return bool(world.chances.worker_killed or world.chances.worker_frozen)


def _now_ms(world: World) -> int:
    return world.clock.time_ns() // 1_000_000


def _account_of(world: World, person: Person) -> Account:
    return world.exchange.venue.accounts[person.key.api_key]


def _ref(order: Order | AlgoOrder) -> OrderRef | None:
    name = order.client_order_id if isinstance(order, Order) else order.client_algo_id
    return parse_client_order_id(name or "", prefix=settings().broker_prefix)


def _leg(order: Order | AlgoOrder) -> Leg | None:
    ref = _ref(order)
    return ref.leg if ref is not None else None
