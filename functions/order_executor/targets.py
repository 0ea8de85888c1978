"""Places take-profits and the trailing stop after the stop, and keeps them within what is left of the position.

Where less is left, the farthest take-profits shrink first. A target that fails costs nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from functions.order_executor.refitting import instead_of, refit_targets, reject_target
from functions.order_executor.session import ExecutionSession
from functions.order_executor.venue_orders import cancel, leg_of
from shared.errors import ExchangeError, ExchangeRejected, StopWouldTrigger
from shared.exchange import error_codes
from shared.exchange.markets import EXIT_READ_TIMEOUT_S
from shared.exchange.venue_views import OrderView
from shared.models.order import Order, OrderStatus
from shared.observability import logger
from shared.trading.filters import round_down
from shared.trading.ids import TAKE_PROFIT_LEGS, Leg
from shared.trading.order_planning import ExitPlan, PlannedOrder

_ATTEMPTS = 2
_CONTRADICTED = frozenset(map(str, error_codes.FILTERS_CONTRADICTED))
_TRAILING_ATTEMPTS = 3
"""As planned, on other filters, and without its activation price."""

_Pair = tuple[PlannedOrder, Order]


def targets_of(exits: ExitPlan) -> tuple[PlannedOrder, ...]:
    """Return the plan's orders other than its stops."""
    return (*exits.take_profits, exits.trailing) if exits.trailing is not None else exits.take_profits


async def place_targets(session: ExecutionSession, exits: ExitPlan, *, room: Decimal | None = None) -> None:
    """Place missing take-profits and the trailing stop. `room` is the amount that standing take-profits leave free."""
    pending = [
        (replace(planned, amount=order.amount, price=order.price, activation_price=order.trigger_price), order)
        for planned in targets_of(exits)
        for order in session.ledger.of_leg(planned.leg)[-1:] or [session.ledger.intend(planned, attempt=1)]
        if order.status is OrderStatus.INTENDED
    ]
    limits = [pair for pair in pending if pair[0].leg in TAKE_PROFIT_LEGS]
    trailing = [pair for pair in pending if pair[0].leg is Leg.TRAILING]
    await asyncio.gather(
        _place_limits(session, limits, room=room), *(_place_trailing(session, *one) for one in trailing)
    )
    await session.ledger.save_orders(*(order for _, order in pending))


async def fit_targets(
    session: ExecutionSession, exits: ExitPlan, standing: Sequence[OrderView], *, left: Decimal, beside: bool
) -> None:
    """Shrink the targets to what is left of ours, and place the missing ones.

    The trailing stop is for the whole amount, and the exchange cuts it to the position when it triggers. So it is made
    smaller only when the owner holds something `beside` ours that it would sell. Without filters no smaller order could
    be fitted, so that targets stay as they are until there are some.
    """
    if not session.filters_known:
        return
    room, surplus = left, list[tuple[OrderView, Decimal]]()
    for view in standing_take_profits(session, standing):
        if view.remaining > room:
            surplus.append((view, _limit_amount(session, room)))
        room -= min(view.remaining, room)
    if beside:
        amount = trailing_amount(session, left)
        surplus += [(view, amount) for view in _standing(session, standing, Leg.TRAILING) if view.remaining > left]
    if surplus:
        logger.warning("targets_too_large", execution_id=session.execution.id, orders=len(surplus))
        await replace_orders(session, exits, surplus)
        room += sum((amount for view, amount in surplus if leg_of(session, view) in TAKE_PROFIT_LEGS), Decimal(0))
    await place_targets(session, exits, room=room)


def standing_take_profits(session: ExecutionSession, standing: Sequence[OrderView]) -> list[OrderView]:
    """Return the standing take-profits, the nearest first."""
    return sorted(_standing(session, standing, *TAKE_PROFIT_LEGS), key=lambda view: _distance(session, view))


def _standing(session: ExecutionSession, standing: Sequence[OrderView], *legs: Leg) -> list[OrderView]:
    return [view for view in standing if view.status.is_open and leg_of(session, view) in legs]


def _distance(session: ExecutionSession, view: OrderView) -> Decimal:
    return (view.price or Decimal(0)) * session.execution.side.sign


def _limit_amount(session: ExecutionSession, amount: Decimal) -> Decimal:
    whole = round_down(amount, session.filters.step_size)
    return whole if whole >= session.filters.min_amount else Decimal(0)


def trailing_amount(session: ExecutionSession, amount: Decimal) -> Decimal:
    """Return the amount of a trailing stop for what is left; 0 if that is less than the exchange takes."""
    whole = round_down(amount, session.filters.entry_step)
    return whole if whole >= session.filters.market_min_amount else Decimal(0)


async def replace_orders(
    session: ExecutionSession, exits: ExitPlan, orders: Sequence[tuple[OrderView, Decimal]]
) -> None:
    """Record orders of other amounts, then cancel those that they replace.

    A crash in between leaves both, and the next worker finds no room for the new ones. Where an order has filled
    meanwhile, nothing replaces it.
    """
    by_leg = {planned.leg: planned for planned in targets_of(exits)}
    replacing = {
        view.client_order_id: session.ledger.intend(replace(by_leg[leg], amount=amount))
        for view, amount in orders
        if amount and (leg := leg_of(session, view)) in by_leg
    }
    await session.ledger.save_orders(*replacing.values())
    cancelled = await cancel(session, [view for view, _ in orders])
    ended = [view.client_order_id for view, _ in orders if view.client_order_id not in cancelled]
    dropped = [replacing[name] for name in ended if name in replacing]
    for order in dropped:
        order.status, order.error = OrderStatus.CANCELLED, "REPLACES_NOTHING"
    # Whether they have filled is for a look-up to say.
    known = [session.ledger.orders[name] for name in ended if name in session.ledger.orders]
    for order in known:
        order.status = OrderStatus.OPEN
    await session.ledger.save_orders(*dropped, *known)


async def _place_limits(session: ExecutionSession, pairs: Sequence[_Pair], *, room: Decimal | None) -> None:
    pairs = await _without_refused(session, pairs)
    for _ in range(_ATTEMPTS):
        pairs = await _not_at_exchange(session, pairs)
        if room is not None:
            pairs = _fit_into(session, pairs, room)
        if not pairs:
            return
        pairs = await _send_limits(session, pairs)


async def _without_refused(session: ExecutionSession, pairs: Sequence[_Pair]) -> Sequence[_Pair]:
    """Return the orders without those that filters have refused, unless filters that allow others can be read."""
    refused = [pair for pair in pairs if pair[1].error in _CONTRADICTED]
    if not refused:
        return pairs
    others = [pair for pair in pairs if pair not in refused]
    renewed = await session.renew_filters(session.filters, sent_at_s=time.monotonic())
    return [*others, *refit_targets(session, refused)] if renewed else others


def _fit_into(session: ExecutionSession, pairs: Sequence[_Pair], room: Decimal) -> list[_Pair]:
    """Return the orders that fit into `room`, nearest first, the last one cut; give the others up."""
    kept = []
    for planned, order in pairs:
        amount = _limit_amount(session, min(planned.amount or room, room))
        if amount:
            order.amount = amount
            kept.append((replace(planned, amount=amount), order))
            room -= amount
        else:
            order.status, order.error = OrderStatus.CANCELLED, "NOTHING_LEFT"
    return kept


async def _not_at_exchange(session: ExecutionSession, pairs: Sequence[_Pair]) -> list[_Pair]:
    """Return the orders that the exchange does not know.

    One that may have been sent is looked up first: it may have filled, and the exchange would take the same id again.
    """
    sent = [o for _, o in pairs if o.status is OrderStatus.INTENDED and session.ledger.may_have_been_sent(o)]
    try:
        await asyncio.gather(*(session.look_up_twice(order) for order in sent))
    except ExchangeError:
        return []  # not known now: the next reconciliation, which comes soon, tries again
    return [pair for pair in pairs if pair[1].status is OrderStatus.INTENDED]


async def _send_limits(session: ExecutionSession, pairs: Sequence[_Pair]) -> Sequence[_Pair]:
    """Send take-profits side by side; return those that may be sent again if the exchange does not know them.

    Single orders have no request weight, a batch of them has 5.
    """
    sent_with, sent_at_s = session.filters, time.monotonic()
    errors = await asyncio.gather(*(_send_limit(session, *pair) for pair in pairs))
    contradicted, again = list[_Pair](), list[_Pair]()
    for pair, error in zip(pairs, errors, strict=True):
        if error is None:
            continue
        order = pair[1]
        if error.code in error_codes.FILTERS_CONTRADICTED:
            contradicted.append(pair)
            order.error = str(error.code)
        elif isinstance(error, ExchangeRejected) and error.code not in error_codes.DUPLICATE_CLIENT_ID:
            reject_target(session, order, error.code)
        else:
            logger.warning("target_unknown", execution_id=session.execution.id, leg=order.leg.value, detail=str(error))
            again.append(pair)
    if not contradicted:
        return again
    if not await session.renew_filters(sent_with, sent_at_s=sent_at_s):
        return again  # the refused ones stay INTENDED: the next reconciliation may know the filters
    return [*again, *refit_targets(session, contradicted)]


async def _send_limit(session: ExecutionSession, planned: PlannedOrder, order: Order) -> ExchangeError | None:
    try:
        await session.place(planned, order)
    except ExchangeError as error:
        return error
    return None


async def _place_trailing(session: ExecutionSession, planned: PlannedOrder, order: Order) -> None:
    """Place the trailing stop; without an activation price where the market has passed it, for then it is active."""
    if not await _not_at_exchange(session, [(planned, order)]):
        return
    for _ in range(_TRAILING_ATTEMPTS):
        sent_with, sent_at_s = session.filters, time.monotonic()
        try:
            await session.place(planned, order)
        except ExchangeRejected as error:
            if isinstance(error, StopWouldTrigger) and planned.activation_price is not None:
                again: PlannedOrder | None = replace(planned, activation_price=None)
            else:
                until_s = time.monotonic() + EXIT_READ_TIMEOUT_S
                again = await instead_of(
                    session, planned, error, sent_with=sent_with, sent_at_s=sent_at_s, until_s=until_s
                )
            if again is None:
                reject_target(session, order, error.code)
                return
            planned = again
            order.amount, order.trigger_price = planned.amount, planned.activation_price
        except ExchangeError as error:
            # It stays INTENDED: the next reconciliation, which comes soon, looks it up and sends it again.
            order.error = type(error).__name__
            return
        else:
            return
