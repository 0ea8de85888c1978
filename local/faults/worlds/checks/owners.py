"""One key at a time has an account's position on a symbol; another key of the account is told that it is in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from local.faults.worlds.our_orders import ref_of
from local.faults.worlds.world import World
from local.simulation.people import Follows
from shared.models.execution import Execution
from shared.trading.execution import DenialReason
from shared.trading.ids import ENTRY_LEGS


def check(world: World, executions: Sequence[Execution]) -> Iterator[str]:
    """Yield the violations."""
    for sharing in world.sharing():
        if len(sharing) > 1:
            yield from _entered_twice(sharing[0])
            followers = {follows.record.id for follows in sharing}
            yield from (
                f"execution {execution.id} takes another key's position of the account for the owner's"
                for execution in executions
                if execution.follower_id in followers and execution.reason == DenialReason.FOREIGN_POSITION
            )


def _entered_twice(follows: Follows) -> Iterator[str]:
    """Yield the executions that entered while another one had the account's position."""
    held, holder = Decimal(0), ""
    for trade in follows.account.trades:
        if trade.symbol != follows.symbol:
            continue
        ref = ref_of(follows.account.orders[trade.order_id])
        if ref is not None and ref.leg in ENTRY_LEGS:
            if held and ref.execution_id != holder:
                yield f"execution {ref.execution_id} was entered while {holder} had the account's position"
            holder = ref.execution_id
        held += trade.side.sign * trade.quantity
