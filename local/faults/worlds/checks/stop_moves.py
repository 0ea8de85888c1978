"""A stop never moves away from the market, and it stands where updates and its filled target want it.

Read from the exchange's own books: the stops in the order in which they were placed, and what targets have filled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise

from local.faults.worlds.checks import alerts
from local.faults.worlds.our_orders import ref_of
from local.faults.worlds.world import World
from local.paper_exchange.orders import AlgoOrder, OrderStatus
from local.paper_exchange.symbols import SYMBOLS
from local.simulation.naked import without_bans_ms
from local.simulation.people import Follows
from shared.clock import to_ms
from shared.models.execution import Execution
from shared.models.execution_event import ExecutionEvent
from shared.models.trigger import Trigger
from shared.trading.execution import Desired, ExecutionState, Reason
from shared.trading.ids import STOP_LEGS, TAKE_PROFIT_LEGS, Leg
from shared.trading.sides import TriggerAction

Answers = dict[tuple[str, str], Execution]
"""What became of each trigger for each follower."""

_LARGEST_TICK = 10
"""Times the tick that a symbol was listed with: so far the worlds change it, and prices are rounded to it."""
_UPDATED_WITHIN_MS = 60_000
_BREAKEVEN_WITHIN_MS = 90_000
"""The watcher's next run finds the fill."""
_KILLED_BOUND_MS = 180_000
"""The message of a killed worker is replaced by the watcher's next run, and that of a second one two runs later."""
_PASSED = "stop not moved to "


def check_rest(world: World) -> Iterator[str]:
    """Yield the positions whose stop is behind where an update or a filled target wants it, with nothing in progress.

    A price that the market had passed is on record, and wants nothing any more.
    """
    people = {follows.record.id: follows for follows in world.people}
    updates = [trigger for trigger in world.triggers() if trigger.action is TriggerAction.UPDATE]
    answers = {(one.trigger_id, one.follower_id): one for one in world.executions()}
    for execution in world.active():
        at_rest = execution.state is ExecutionState.PROTECTED and execution.desired is Desired.OPEN
        if at_rest and not execution.dust_left:
            yield from _behind(world, people[execution.follower_id], execution, updates, answers)


def check(world: World, executions: Sequence[Execution]) -> Iterator[str]:
    """Yield the stops that have moved away from the market, or too late to where an update or a target wants them."""
    people = {follows.record.id: follows for follows in world.people}
    updates = [trigger for trigger in world.triggers() if trigger.action is TriggerAction.UPDATE]
    answers = {(one.trigger_id, one.follower_id): one for one in executions}
    for execution in executions:
        if execution.opens:
            yield from _moved_away(people[execution.follower_id], execution)
            yield from _moved_late(world, people[execution.follower_id], execution, updates, answers)


def _moved_away(follows: Follows, execution: Execution) -> Iterator[str]:
    placed: dict[Leg, list[AlgoOrder]] = defaultdict(list)
    for leg, algo in _stops(follows, execution):
        placed[leg].append(algo)
    for leg, algos in placed.items():
        prices = [algo.trigger_price for algo in sorted(algos, key=lambda algo: algo.algo_id)]
        for before, after in pairwise(prices):
            if (before - after) * execution.side.sign > _tolerance(follows):
                yield f"execution {execution.id}: its {leg.value} moved away from the market, {before} to {after}"


def _moved_late(
    world: World,
    follows: Follows,
    execution: Execution,
    updates: Sequence[Trigger],
    answers: Answers,
) -> Iterator[str]:
    """Yield the stops that an accepted update or a filled target asked for, and that did not stand in time.

    A ban that is injected does not count, nor what comes after the position or its close.
    """
    filled_at = execution.entry_filled_at
    if filled_at is None or execution.desired is Desired.CLOSED or execution.dust_left:
        return
    given_up = list(_given_up(execution))
    for trigger in _accepted(execution, updates, answers):
        price = trigger.stop
        if price is None or any(abs(price - one) <= _tolerance(follows) for one in given_up):
            continue
        asked_ms = to_ms(max(filled_at, trigger.created_at))
        lasted_ms = _lasted_ms(world, follows, execution, price, asked_ms=asked_ms)
        if lasted_ms > (_KILLED_BOUND_MS if world.harms_workers else _UPDATED_WITHIN_MS):
            yield f"execution {execution.id} had its stop at {price} only {lasted_ms} ms after an update asked for it"
    if given_up:
        return  # break-even may be among them
    named = [to_ms(one.created_at) for one in _accepted(execution, updates, answers) if one.breakeven_after is not None]
    for price, at_ms in list(_wanted_by_targets(world, follows, execution))[:1]:
        lasted_ms = _lasted_ms(world, follows, execution, price, asked_ms=max([at_ms, *named]))
        if lasted_ms > (_KILLED_BOUND_MS if world.harms_workers else _BREAKEVEN_WITHIN_MS):
            yield f"execution {execution.id} had its stop at break-even only {lasted_ms} ms after its target had filled"


def _lasted_ms(world: World, follows: Follows, execution: Execution, price: Decimal, *, asked_ms: int) -> int:
    """Return after what time a stop stood at a price or nearer to the market, or the position was gone."""
    sign, offset_ms = execution.side.sign, world.exchange.venue.settings.clock_offset_ms
    there_ms = [
        algo.created_ms - offset_ms
        for leg, algo in _stops(follows, execution)
        if leg is Leg.STOP and (price - algo.trigger_price) * sign <= _tolerance(follows)
    ]
    history = world.exchange.amounts_held[follows.account.api_key, follows.symbol]
    filled_ms = to_ms(execution.entry_filled_at or execution.received_at)
    flat_ms = [at_ms for at_ms, amount in history if at_ms > filled_ms and amount * sign <= 0]
    gone_at = execution.exited_at or execution.closed_at
    gone_ms = world.exchange.wall_ms() if gone_at is None else to_ms(gone_at)
    ended_ms = min([*there_ms, *flat_ms, gone_ms])
    return without_bans_ms(asked_ms, ended_ms, bans=world.injected_bans(follows.account.api_key))


def _behind(
    world: World,
    follows: Follows,
    execution: Execution,
    updates: Sequence[Trigger],
    answers: Answers,
) -> Iterator[str]:
    open_ids = follows.account.open_algo_ids
    stops = [algo for leg, algo in _stops(follows, execution) if leg is Leg.STOP]
    standing = [algo.trigger_price for algo in stops if algo.algo_id in open_ids]
    if not standing:
        return  # another check is about positions without a stop
    sign = execution.side.sign
    nearest = max(standing, key=lambda price: price * sign)
    given_up = list(_given_up(execution))
    wanted = list(_wanted_by_updates(execution, updates, answers))
    wanted += [price for price, _ in _wanted_by_targets(world, follows, execution)]
    for price in wanted:
        is_given_up = any(abs(price - one) <= _tolerance(follows) for one in given_up)
        if (price - nearest) * sign > _tolerance(follows) and not is_given_up:
            yield f"execution {execution.id} has its stop at {nearest}, behind {price}"


def _wanted_by_updates(execution: Execution, updates: Sequence[Trigger], answers: Answers) -> Iterator[Decimal]:
    """Yield the stops that updates ask for; of break-even the entry's price, which is a little behind it."""
    for trigger in _accepted(execution, updates, answers):
        if trigger.stop is not None:
            yield trigger.stop
        if trigger.stop_at_breakeven and execution.entry_price is not None and execution.breakeven_passed is None:
            yield execution.entry_price


def _accepted(execution: Execution, updates: Sequence[Trigger], answers: Answers) -> Iterator[Trigger]:
    """Yield the updates that mean the position and were accepted for it, in whole."""
    for trigger in updates:
        answer = answers.get((trigger.id, execution.follower_id))
        means = trigger.strategy_id == execution.strategy_id and alerts.place(trigger) > alerts.place_of(execution)
        if means and answer is not None and answer.reason == Reason.APPLIED and answer.detail == execution.id:
            yield trigger


def _wanted_by_targets(world: World, follows: Follows, execution: Execution) -> Iterator[tuple[Decimal, int]]:
    """Yield the entry's price, and when the target has filled that the stop waits for, or one beyond it."""
    awaited, entry_price = execution.breakeven_after, execution.entry_price
    if awaited is None or entry_price is None or execution.breakeven_passed is not None:
        return
    for order in follows.account.orders.values():
        ref = ref_of(order)
        is_ours = ref is not None and ref.execution_id == execution.id
        if is_ours and ref.leg in TAKE_PROFIT_LEGS[awaited - 1 :] and order.status is OrderStatus.FILLED:
            yield entry_price, order.updated_ms - world.exchange.venue.settings.clock_offset_ms


def _given_up(execution: Execution) -> Iterator[Decimal]:
    """Yield the prices that are on record as passed by the market."""
    for event in ExecutionEvent.query(execution.id, consistent_read=True):
        if event.detail is not None and event.detail.startswith(_PASSED):
            yield Decimal(event.detail.removeprefix(_PASSED).partition(":")[0])


def _stops(follows: Follows, execution: Execution) -> Iterator[tuple[Leg, AlgoOrder]]:
    for algo in follows.account.algos.values():
        ref = ref_of(algo)
        if ref is not None and ref.execution_id == execution.id and ref.leg in STOP_LEGS:
            yield ref.leg, algo


def _tolerance(follows: Follows) -> Decimal:
    return SYMBOLS[follows.symbol].tick * _LARGEST_TICK
