"""What was booked is what the exchange's books say; no execution was entered twice, and none keeps its slot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from local.faults.worlds.our_orders import ref_of
from local.faults.worlds.world import World
from local.paper_exchange.orders import IncomeType, Order
from local.simulation.people import Follows
from shared.models.execution import Execution
from shared.models.follower_performance import FollowerPerformance
from shared.models.position_slot import PositionSlot
from shared.trading.execution import ExecutionState
from shared.trading.ids import ENTRY_LEGS

_ROUNDING = Decimal("0.000001")
_RESULTS = frozenset(IncomeType) - {IncomeType.TRANSFER}


def check(world: World, executions: Sequence[Execution]) -> Iterator[str]:
    """Yield the violations."""
    for sharing in world.sharing():
        account, symbol = sharing[0].account, sharing[0].symbol
        traded = [order for order in account.orders.values() if order.executed and order.symbol == symbol]
        yield from _entries(traded)
        booked = Decimal(0)
        for follows in sharing:
            ours = [execution for execution in executions if execution.follower_id == follows.record.id]
            profit = sum((execution.profit or Decimal(0) for execution in ours), Decimal(0))
            yield from _performance(follows, profit)
            yield from _ends(follows, ours, traded)
            booked += profit
        yield from _results(sharing[0], booked)


def _entries(traded: Sequence[Order]) -> Iterator[str]:
    refs = (ref for order in traded if (ref := ref_of(order)) is not None and ref.leg in ENTRY_LEGS)
    entries = Counter((ref.execution_id, ref.leg) for ref in refs)
    for (execution_id, leg), count in entries.items():
        if count > 1:
            yield f"the {leg} of execution {execution_id} has filled {count} times"


def _results(follows: Follows, booked: Decimal) -> Iterator[str]:
    incomes = [one for one in follows.account.incomes if one.symbol == follows.symbol and one.income_type in _RESULTS]
    theirs = sum((one.amount for one in incomes), Decimal(0))
    if abs(booked - theirs) > _ROUNDING * (1 + len(incomes)):
        yield f"{follows.record.id}: {booked} was booked, {theirs} is in the exchange's books"


def _performance(follows: Follows, booked: Decimal) -> Iterator[str]:
    performance = FollowerPerformance.find(follows.record.id)
    recorded = performance.total_profit if performance is not None else Decimal(0)
    if recorded != booked:
        yield f"{follows.record.id}: the performance says {recorded}, its executions {booked}"


def _ends(follows: Follows, ours: Sequence[Execution], traded: Sequence[Order]) -> Iterator[str]:
    slot = PositionSlot.find(follows.key.id, follows.record.symbol)
    if slot is not None and slot.execution_id is not None:
        yield f"{follows.record.id}: its slot is still taken by {slot.execution_id}"
    entered = {ref.execution_id for order in traded if (ref := ref_of(order)) is not None}
    for execution in ours:
        if execution.id in entered and execution.state is not ExecutionState.CLOSED:
            yield f"execution {execution.id} has traded, and says {execution.state}"
        if execution.id in entered and execution.profit is None:
            yield f"execution {execution.id} has traded, and was not booked ({execution.reason})"
