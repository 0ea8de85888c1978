"""Which open positions are looked at now: those that the market may have touched, others as the lane's slack allows.

Reads candles, which are public, and the records of lanes. A read that fails makes nothing wait: the positions that it
would have judged are looked at as if the market had touched them once nobody has judged them for two minutes.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.config import settings
from shared.errors import ExchangeError
from shared.exchange import gate, lanes, weights
from shared.exchange.candles import read_candles
from shared.losses import closes_at_limit
from shared.messages import Command
from shared.models.execution import Execution
from shared.observability import count_outcome, logger
from shared.order_dispatch import read_routes
from shared.trading.execution import Desired, ExecutionState
from shared.trading.looks import RUN, Position, choose_looks
from shared.trading.touch import SymbolCandles, WatchedExits, is_touched

_UNJUDGED_FOR = 2 * RUN
_TRAILING_SINCE = timedelta(hours=8)
"""The best price of an older trailing stop is read from candles of whole days."""


def may_wait(execution: Execution) -> bool:
    """Return whether the execution is a position with its stop, on which nothing is known to be due."""
    return (
        execution.state is ExecutionState.PROTECTED
        and execution.desired is Desired.OPEN
        and not execution.is_to_be_reduced
        and not execution.is_to_be_updated
        and execution.exited_at is None
        and execution.flat_since is None
    )


async def choose(executions: Sequence[Execution], *, now: datetime) -> list[Execution]:
    """Return those of some protected positions that are looked at now, by lane, the most urgent first."""
    watched = {execution.id: execution.watched_exits() for execution in executions}
    try:
        candles = await _read_candles(executions, watched, now=now)
    finally:
        await lanes.flush()
    by_lane: dict[str, list[Position]] = defaultdict(list)
    routes = await asyncio.to_thread(read_routes, [execution.named_lanes for execution in executions])
    for execution in executions:
        exits, read = watched[execution.id], candles.get(execution.symbol)
        touched = exits is not None and _may_be_touched(exits, read, now=now)
        # A limit of losses may be reached by other positions too, so these are looked at in every run.
        touched = touched or closes_at_limit(execution)
        looked_at = None if exits is None else exits.looked_at
        by_lane[routes.lane_of(execution, Command.RECONCILE)].append(Position(execution.id, looked_at, touched))
    chosen = list[str]()
    interval = timedelta(seconds=settings().look_interval_s)
    for lane, positions in by_lane.items():
        chosen += choose_looks(positions, now=now, interval=interval, slack=await _slack(lane))
    touched_number = sum(position.touched for positions in by_lane.values() for position in positions)
    if executions:
        logger.info("looks_chosen", positions=len(executions), touched=touched_number, chosen=len(chosen))
    found = {execution.id: execution for execution in executions}
    return [found[execution_id] for execution_id in chosen]


def _may_be_touched(exits: WatchedExits, candles: SymbolCandles | None, *, now: datetime) -> bool:
    if candles is None:
        return now - exits.looked_at > _UNJUDGED_FOR
    return is_touched(exits, candles)


async def _read_candles(
    executions: Sequence[Execution], watched: dict[str, WatchedExits | None], *, now: datetime
) -> dict[str, SymbolCandles]:
    """Return the candles of every symbol, as far back as its positions need them; without symbols that failed."""
    exits_of: dict[str, list[WatchedExits]] = defaultdict(list)
    for execution in executions:
        exits = watched[execution.id]
        if exits is not None:
            exits_of[execution.symbol].append(exits)
    read = await asyncio.gather(*(_read_symbol(symbol, exits, now=now) for symbol, exits in exits_of.items()))
    return {symbol: candles for symbol, candles in zip(exits_of, read, strict=True) if candles is not None}


async def _read_symbol(symbol: str, exits: Sequence[WatchedExits], *, now: datetime) -> SymbolCandles | None:
    placed = [one.trailing.placed_at for one in exits if one.trailing is not None]
    older = [placed_at for placed_at in placed if now - placed_at >= _TRAILING_SINCE]
    since = [one.looked_at for one in exits] + [placed_at for placed_at in placed if placed_at not in older]
    with_mark = any(one.liquidation is not None for one in exits)
    try:
        return await read_candles(
            symbol, since=min(since), now=now, with_mark=with_mark, days_since=min(older, default=None)
        )
    except ExchangeError as error:
        logger.warning("candles_not_read", symbol=symbol, error=type(error).__name__)
        count_outcome("candles_not_read")
        return None


async def _slack(lane: str) -> int:
    """Return for how many looks the lane has slack, by what its record says of all workers."""
    limiter = lanes.limiter_of(lane)
    await limiter.refresh()
    return gate.looks_in_slack(limiter.weight.budget(), weight=weights.LOOK)
