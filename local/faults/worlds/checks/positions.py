"""Open positions have a stop and targets that fit; flat accounts have no order of ours."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from local.faults.worlds.our_orders import leg_of
from local.faults.worlds.world import World
from local.paper_exchange.orders import AlgoOrder, Order
from local.simulation.people import Follows
from shared.trading.ids import Leg


def check(world: World) -> Iterator[str]:
    """Yield the violations while nothing is in progress."""
    active = {execution.follower_id for execution in world.active()}
    for follows, *others in world.sharing():
        if follows.held:
            yield from _protected(follows, dust=world.holds_dust(follows))
        if not active & {one.record.id for one in (follows, *others)}:
            left = [leg for order in _standing(follows) if (leg := leg_of(order)) is not None]
            if left:
                yield f"{follows.record.id}: orders are left on a flat account: {left}"


def check_nothing_left(world: World) -> Iterator[str]:
    """Yield the violations when every position has been closed."""
    for follows in world.people:
        if follows.held:
            yield f"{follows.record.id}: a position of {follows.held} is left"
        if standing := _standing(follows):
            yield f"{follows.record.id}: orders are left on a flat account: {list(map(leg_of, standing))}"


def _protected(follows: Follows, *, dust: bool) -> Iterator[str]:
    resting = [order for order in follows.account.open_orders(follows.symbol) if order.reduce_only]
    targets = sum((order.remaining for order in resting if leg_of(order) is not Leg.STOP), Decimal(0))
    if targets > abs(follows.held):
        yield f"{follows.record.id}: take-profits of {targets} for a position of {follows.held}"
    # Dust has its stop unless the market has passed it already.
    if not dust and not any(algo.close_position for algo in follows.account.open_algos(follows.symbol)):
        yield f"{follows.record.id}: a position of {follows.held} without a stop"


def _standing(follows: Follows) -> list[Order | AlgoOrder]:
    account = follows.account
    return [*account.open_orders(follows.symbol), *account.open_algos(follows.symbol)]
