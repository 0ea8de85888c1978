"""Sends work on executions to the queue of the lane that takes it. `trading/lane_choice.py` has the rule.

Whether a lane can take work is read from its record and from its halt, each time and consistently. If they cannot be
read, everything goes to the first lane, whose address every key binds: an exit must not wait for a table. All of this
blocks.
"""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from shared import messages
from shared.clock import utc_now
from shared.config import settings
from shared.errors import LockstepError
from shared.exchange import weights
from shared.exchange.gate import Work
from shared.exchange.lane_weight import LaneWeight
from shared.messages import Command, OrderMessage
from shared.models.base import read_together
from shared.models.egress_lane import EgressLane
from shared.models.execution import Execution
from shared.models.trading_switch import TradingSwitch, lane_scope
from shared.observability import logger
from shared.queues import Queue
from shared.trading.execution import ExecutionState
from shared.trading.lane_choice import FIRST_LANE, EntrySpread, LaneState, bound_lanes, lane_of_work


class LaneWithoutQueue(LockstepError):
    """A lane's record does not say where its queue is."""


@dataclass(frozen=True, slots=True)
class Routes:
    """Which lanes have an executor, what they can take, and where their queues are."""

    lanes: Mapping[str, LaneState]
    queue_urls: Mapping[str, str]
    entries: EntrySpread
    """Spreads entries over these lanes."""

    @classmethod
    def over(cls, lanes: Mapping[str, LaneState], queue_urls: Mapping[str, str]) -> Routes:
        """Return the routes over these lanes."""
        return cls(lanes, queue_urls, EntrySpread(lanes, weight=weights.ENTRY_HOLD))

    def lane_of(self, execution: Execution, command: Command) -> str:
        """Return the lane that takes work on an execution: an entry that has waited goes where there is weight now."""
        if execution.state is ExecutionState.QUEUED and command is Command.RECONCILE:
            return self.entries.choose(execution.named_lanes)
        return lane_of_work(execution.named_lanes, self.lanes, home=execution.egress_lane)

    def send(self, executions: Iterable[Execution], command: Command, *, delivery: str) -> None:
        """Queue work on executions at their lanes, in order within each; raise MessageNotSent (`messages.send_orders`).

        What one lane's queue does not accept holds nothing back from the others.
        """
        by_lane: dict[str, list[OrderMessage]] = defaultdict(list)
        for execution in executions:
            by_lane[self.lane_of(execution, command)].append(execution.message(command))
        failed: list[Exception] = []
        for lane, waiting in by_lane.items():
            try:
                self.send_messages(waiting, lane=lane, delivery=delivery)
            except (LockstepError, BotoCoreError, ClientError) as error:
                failed.append(error)
        if failed:
            raise failed[0]

    def send_messages(self, waiting: Sequence[OrderMessage], *, lane: str, delivery: str) -> None:
        """Queue messages at a lane; raise MessageNotSent, or LaneWithoutQueue."""
        url = self.queue_urls.get(lane)
        if not url:
            raise LaneWithoutQueue(lane)
        messages.send_orders(waiting, delivery=delivery, queue_url=url)


def read_routes(named: Iterable[Sequence[str]]) -> Routes:
    """Read the lanes that keys bind, given the lanes that each of them names."""
    wanted = list(dict.fromkeys([FIRST_LANE, *(lane for one in named for lane in one)]))
    own = {settings().lane: settings().queue_urls[Queue.ORDERS]}
    if wanted == [settings().lane]:
        return Routes.over({FIRST_LANE: LaneState()}, own)  # there is no choice
    try:
        records = read_together(
            *((EgressLane, lane, None) for lane in wanted),
            *((TradingSwitch, lane_scope(lane), None) for lane in wanted),
        )
    except (PynamoDBException, BotoCoreError, ClientError) as error:
        logger.warning("lanes_not_read", error=type(error).__name__)
        return Routes.over({FIRST_LANE: LaneState()}, own)
    found: dict[str, EgressLane | None] = dict(zip(wanted, records, strict=False))
    halts: dict[str, TradingSwitch | None] = dict(zip(wanted, records[len(wanted) :], strict=True))
    urls = {lane: record.orders_queue_url for lane, record in found.items() if record and record.orders_queue_url} | own
    now = utc_now()
    states = {lane: _state(found[lane], halts[lane], now=now) for lane in wanted if lane in urls or lane == FIRST_LANE}
    return Routes.over(states, urls)


def send_orders(executions: Sequence[Execution], command: Command, *, delivery: str) -> None:
    """Queue work on executions, each at the lane that takes it; raise MessageNotSent if a queue did not accept it."""
    read_routes(execution.named_lanes for execution in executions).send(executions, command, delivery=delivery)


def send_back(message: OrderMessage, *, lane: str) -> None:
    """Queue a message at a lane once more, behind what waits there."""
    read_routes([[lane]]).send_messages([message], lane=lane, delivery=str(uuid.uuid4()))


def route_past(lane: str, named: Sequence[str], *, banned_until: datetime | None) -> tuple[str, Routes]:
    """Return the lane that takes a key's work while this one is banned, and where it is; this one if none is better."""
    routes = read_routes([named])
    lanes = dict(routes.lanes)
    if lane in lanes:
        lanes[lane] = replace(lanes[lane], banned_until=banned_until)
    return lane_of_work(named, lanes, home=lane), routes


def free_elsewhere_in_s(lane: str, named: Sequence[str], *, for_entry: bool) -> float:
    """Return in how many seconds another lane than this can take a key's work; infinity if no other ever can.

    `for_entry` asks for the weight of an entry too.
    """
    if set(bound_lanes(named)) <= {lane}:
        return math.inf
    now, routes = utc_now(), read_routes([named])
    others = [state for name, state in routes.lanes.items() if name != lane and name in bound_lanes(named)]
    if for_entry:
        has_room = any(
            state.banned_until is None and not state.paused and not state.halted and state.room >= weights.ENTRY_HOLD
            for state in others
        )
        return 0.0 if has_room else math.inf
    return min(((state.banned_until or now) - now).total_seconds() for state in others) if others else math.inf


def _state(record: EgressLane | None, halt: TradingSwitch | None, *, now: datetime) -> LaneState:
    weight = LaneWeight()
    halted = halt is not None and halt.halted
    if record is None:
        return LaneState(room=weight.budget().room(Work.ENTRY), halted=halted)
    weight.update_from(record)
    banned_until, paused_until = record.banned_until, record.paused_until
    return LaneState(
        room=weight.budget().room(Work.ENTRY),
        banned_until=banned_until if banned_until is not None and banned_until > now else None,
        paused=paused_until is not None and paused_until > now,
        halted=halted,
    )
