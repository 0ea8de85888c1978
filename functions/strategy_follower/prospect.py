"""Imagines an alert for a follower, so that the executor's own rules say what it would do now. Stores nothing."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace

from shared.admission import EntryContext, read_context
from shared.clock import utc_now
from shared.execution_snapshot import read_references, snapshot
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.strategy import Strategy
from shared.models.trigger import FanoutState, Trigger
from shared.trading.lane_choice import FIRST_LANE
from shared.trading.sides import StrategySource
from shared.trading.signal import Signal
from shared.trading.usual_stop import RECENT, UsualStop, usual_stop


def usual_stop_of(strategy_id: str) -> UsualStop | None:
    """Return the usual stop of a strategy's recent triggers; None where it has none."""
    return usual_stop(Trigger.latest_signals(strategy_id, RECENT))


def imagined_execution(follower: Follower, strategy: Strategy, signal: Signal) -> Execution:
    """Return the execution that the fan-out would make for the follower if an alert with this signal came now."""
    now = utc_now()
    trigger = Trigger(
        id=str(uuid.uuid4()),
        strategy_id=strategy.id,
        seq=0,
        strategy_source=StrategySource.TRADINGVIEW,
        exchange_id=strategy.exchange_id,
        symbol=strategy.symbol,
        side=signal.side,
        price=signal.order_price,
        stop=signal.stop,
        stop_type=signal.stop_type,
        take_profits=list(signal.take_profits),
        take_profit_weights=strategy.take_profit_weights,
        max_chase=strategy.max_chase,
        fanout_state=FanoutState.DONE,
        created_at=now,
        updated_at=now,
    )
    references = asyncio.run(read_references([follower]))
    return snapshot(trigger, follower, references, strategy_name=strategy.name, now=now)


def context_of(follower: Follower, execution: Execution) -> EntryContext:
    """Return what an entry of the execution would be judged by, with the follower as it is here, stored or not.

    An alert that comes now is newer than every close and every other alert.
    """
    return replace(read_context(execution, lane=FIRST_LANE), follower=follower, superseded=False, closed=False)
