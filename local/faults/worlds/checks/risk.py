"""What an entry has filled loses at its stop no more than the risk profile allows, the fees of both ways included.

It is no larger than its follower has chosen either. Of the exchange's minimum, where it has chosen that, the loss is
less than twice as much.

Read from the exchange's own books: the fills, the account's fee rate, the stops as they were placed, and what the
account was worth when it was read. What the stop filled worse than its own price is not in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from local.faults.worlds.our_orders import ref_of
from local.faults.worlds.world import World
from local.paper_exchange.orders import AlgoOrder, Order
from local.simulation.people import RISK_PCT, Follows
from shared.trading.entry_settings import BelowMinimum, EntrySettings, SizingType
from shared.trading.ids import ENTRY_LEGS, STOP_LEGS
from shared.trading.risk import risk_budget, worst_loss_at_stops
from shared.trading.sides import Side
from shared.trading.sizing import MINIMUM_RISK_FACTOR

_READ_WITHIN_MS = 90_000
"""Between the read of the account that sizes an entry, and the entry or its one resend."""
_ROUNDING = Decimal("0.000001")


def check(world: World) -> Iterator[str]:
    """Yield the entries that can lose more, or are larger than their followers have chosen."""
    executions = {execution.id: execution for execution in world.executions()}
    chosen = {follows.record.id: follows.record.chosen for follows in world.people}
    for follows, *_ in world.sharing():
        entries: dict[str, list[Order]] = defaultdict(list)
        for order in follows.account.orders.values():
            ref = ref_of(order)
            if ref is not None and ref.leg in ENTRY_LEGS and order.symbol == follows.symbol and order.executed:
                entries[ref.execution_id].append(order)
        for execution_id, orders in entries.items():
            stop_prices = list(_stop_prices(follows, execution_id))
            # Without a stop it was closed at once, which other checks are about.
            if not stop_prices:
                continue
            loss = _loss(follows, orders, stop_prices)
            equity = max(_equities(world, follows, orders))
            budget = risk_budget(equity=equity, risk_pct=RISK_PCT)
            execution = executions[execution_id]
            settings = chosen[execution.follower_id]
            at_minimum = bool(execution.at_minimum) and settings.below_minimum is BelowMinimum.MINIMUM
            if at_minimum:
                budget *= MINIMUM_RISK_FACTOR
            if loss > budget + _ROUNDING:
                yield f"execution {execution_id} can lose {loss:.4f} at its stop, fees included: more than {budget:.4f}"
            # A sale that fills better than its bound is worth more than it was sized as.
            notional = sum((min(order.executed_quote, order.executed * order.price) for order in orders), Decimal(0))
            most = min(_limits(settings, equity=equity, at_minimum=at_minimum), default=notional)
            if notional > most + _ROUNDING:
                yield f"execution {execution_id} is of {notional:.4f}, and its follower wants {most:.4f} at most"


def _limits(settings: EntrySettings, *, equity: Decimal, at_minimum: bool) -> Iterator[Decimal]:
    """Yield every notional that the follower's own settings allow at most."""
    if settings.max_notional is not None:
        yield settings.max_notional
    if settings.max_leverage is not None:
        yield settings.max_leverage * equity
    if settings.value is not None and not at_minimum:
        yield settings.value * equity / 100 if settings.sizing is SizingType.EQUITY else settings.value


def _loss(follows: Follows, orders: list[Order], stop_prices: list[Decimal]) -> Decimal:
    amount = sum((order.executed for order in orders), Decimal(0))
    return worst_loss_at_stops(
        side=Side(orders[0].side.value),
        amount=amount,
        entry_price=sum((order.executed_quote for order in orders), Decimal(0)) / amount,
        stop_prices=stop_prices,
        taker_rate=follows.account.taker_fee,
    )


def _stop_prices(follows: Follows, execution_id: str) -> Iterator[Decimal]:
    for algo in follows.account.algos.values():
        ref = ref_of(algo)
        if ref is not None and ref.execution_id == execution_id and ref.leg in STOP_LEGS:
            yield _worst_price(algo)


def _worst_price(stop: AlgoOrder) -> Decimal:
    """Return the price at which a stop fills at worst by its own terms: a limit stop's limit is beyond its trigger."""
    return stop.price or stop.trigger_price


def _equities(world: World, follows: Follows, orders: list[Order]) -> Iterator[Decimal]:
    """Yield what the account was worth whenever it was read shortly before the entry."""
    offset_ms = world.exchange.venue.settings.clock_offset_ms
    sent_ms = [order.created_ms - offset_ms for order in orders]
    for read_ms, equity in world.exchange.equities[follows.account.api_key]:
        if min(sent_ms) - _READ_WITHIN_MS <= read_ms <= max(sent_ms):
            yield equity
