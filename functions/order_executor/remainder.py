"""Sends what an entry left unfilled once more, from a fresh price, and finds out what became of it.

Only the worker that has entered sends it: its stop stands by then and no target does, so that one plan serves both
parts. Until its outcome is known, no target is sent and nothing is booked.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from pynamodb.exceptions import PynamoDBException

from functions.order_executor import entry_outcome, exit_plans
from functions.order_executor.entry_intents import close_is_requested, recorded_stamp, stamp_entry
from functions.order_executor.entry_outcome import Filled, Outcome
from functions.order_executor.ledger import update_order
from functions.order_executor.resizing import size_from_fresh_price
from functions.order_executor.session import ExecutionSession
from functions.order_executor.targets import targets_of
from shared.errors import ExchangeError, OrderDenied, OutcomeUnknown, RecordChanged
from shared.exchange.venue_views import OrderView
from shared.models.order import Order, OrderStatus
from shared.models.position_slot import PositionSlot
from shared.observability import count_outcome, logger
from shared.trading.execution import Desired
from shared.trading.ids import ENTRY_LEGS, Leg
from shared.trading.order_planning import PlannedOrder, plan_entry
from shared.trading.sizing import OpenedPart


class Remainder(StrEnum):
    """What became of an entry's remainder."""

    NOTHING = "NOTHING"
    """It was not sent, or opened nothing and can open nothing any more."""
    ADDED = "ADDED"
    """The position is larger by what it filled, and so are its unsent targets."""
    UNKNOWN = "UNKNOWN"


def _is_wanted(session: ExecutionSession, filled: Filled) -> bool:
    """Return whether this worker's entry has filled in part, and the rest was not sent yet."""
    entries = session.ledger.of_leg(*ENTRY_LEGS)
    if session.view_at_entry is None or len(entries) != 1 or session.execution.desired is Desired.CLOSED:
        return False
    unfilled = (entries[0].amount or filled.amount) - filled.amount
    return not filled.view.status.is_open and unfilled > 0 and unfilled >= session.filters.entry_min


def is_pending(session: ExecutionSession) -> bool:
    """Return whether it is not known what became of a remainder that may have been sent."""
    return _pending(session) is not None


def _pending(session: ExecutionSession) -> Order | None:
    sent = [order for order in session.ledger.of_leg(Leg.ENTRY_REMAINDER) if order.status is OrderStatus.INTENDED]
    return sent[-1] if sent else None


async def send(session: ExecutionSession, filled: Filled) -> Remainder:
    """Send the rest of an entry whose stop stands, as far as freshness, price, caps and the unused budget allow."""
    if not _is_wanted(session, filled):
        return Remainder.NOTHING
    try:
        planned = await _plan(session, filled)
        order = await _intend(session, planned)
    except OrderDenied as denied:
        logger.info("remainder_not_sent", execution_id=session.execution.id, reason=denied.reason, detail=denied.detail)
        return Remainder.NOTHING
    except (ExchangeError, PynamoDBException, RecordChanged) as error:
        logger.warning("remainder_not_sent", execution_id=session.execution.id, reason=type(error).__name__)
        return Remainder.NOTHING
    try:
        view = await session.place(planned, order, stamp=recorded_stamp(order))
        outcome = await entry_outcome.await_fill(session, order, view)
    except OutcomeUnknown as error:
        logger.warning("remainder_unknown", execution_id=session.execution.id, detail=str(error))
        # Its stop stands, so there is time to wait until the order shows or can no longer be carried out.
        return await _find_out(session, order, await entry_outcome.await_answer(session, order))
    except ExchangeError as error:
        # Certainly not placed: the position stays smaller than it was sized.
        order.status, order.error = OrderStatus.REJECTED, str(error.code or type(error).__name__)
        await session.ledger.save_orders(order)
        logger.warning("remainder_rejected", execution_id=session.execution.id, detail=str(error))
        return Remainder.NOTHING
    return await _record(session, order, outcome)


async def _plan(session: ExecutionSession, filled: Filled) -> PlannedOrder:
    """Return the order for the rest; raise OrderDenied when it may not be sent, or is below the minimum."""
    entry = session.ledger.of_leg(Leg.ENTRY)[-1]
    if entry.amount is None or entry.price is None:
        raise ValueError("an entry in part has an amount and a bound")
    opened = OpenedPart(
        amount=filled.amount, price=filled.view.average or entry.price, unfilled=entry.amount - filled.amount
    )
    sized = await size_from_fresh_price(session, opened=opened)
    return plan_entry(side=session.execution.side, amount=sized.amount, bound=sized.bound, leg=Leg.ENTRY_REMAINDER)


async def _intend(session: ExecutionSession, planned: PlannedOrder) -> Order:
    """Write the intent; raise RecordChanged when a close was requested meanwhile."""
    order = session.ledger.intend(planned, attempt=1)
    try:
        await stamp_entry(session, order)
        await session.ledger.advance(orders=(order,), unless=close_is_requested)
    except (PynamoDBException, RecordChanged):
        # Never sent. If the record was written all the same, another worker will prove the order absent.
        del session.ledger.orders[order.client_order_id]
        raise
    return order


async def resolve(session: ExecutionSession) -> Remainder:
    """Find out what became of a remainder that may have been sent, without waiting for it."""
    order = _pending(session)
    return Remainder.NOTHING if order is None else await _find_out(session, order)


async def _find_out(session: ExecutionSession, order: Order, view: OrderView | None = None) -> Remainder:
    """Return what became of a remainder, which is searched unless its `view` shows it.

    A failed request leaves it unknown: the position's stop does not wait for that.
    """
    try:
        view = view or (await entry_outcome.search_after_window(session, order)).view
        if view is None:
            order.status = OrderStatus.ABSENT
            await session.ledger.save_orders(order)
            logger.info("remainder_proven_absent", execution_id=session.execution.id)
            return Remainder.NOTHING
        outcome = await entry_outcome.await_fill(session, order, view)
    except ExchangeError as error:
        order.status = OrderStatus.INTENDED
        logger.warning("remainder_unknown", execution_id=session.execution.id, detail=str(error))
        return Remainder.UNKNOWN
    return await _record(session, order, outcome)


async def _record(session: ExecutionSession, order: Order, outcome: Outcome) -> Remainder:
    """Record the outcome; if something filled, with the larger position and the targets that are not sent yet."""
    if not isinstance(outcome, Filled):
        logger.info("remainder_unfilled", execution_id=session.execution.id)
        return Remainder.NOTHING
    execution = session.execution
    opened = execution.filled_amount or Decimal(0)
    total = opened + outcome.amount
    update_order(order, outcome.view)
    await session.ledger.advance(
        orders=(order, *_plan_unsent_targets(session, total)),
        slot=(PositionSlot.quantity.set(total),),
        filled_amount=total,
        entry_price=_average(execution.entry_price, opened, outcome.view.average, outcome.amount),
        # The amount in the slot is of this moment: the next reconciliation reads the fills.
        seen_amount=Decimal(0),
    )
    count_outcome("remainder_filled")
    return Remainder.ADDED


def _plan_unsent_targets(session: ExecutionSession, amount: Decimal) -> list[Order]:
    """Return the records of the targets of a larger position; none was sent while the remainder was pending."""
    records = []
    for planned in targets_of(exit_plans.plan_for(session, amount)):
        known = session.ledger.of_leg(planned.leg)
        record = known[-1] if known else session.ledger.intend(planned, attempt=1)
        record.amount, record.price = planned.amount, planned.price
        records.append(record)
    return records


def _average(first: Decimal | None, amount: Decimal, second: Decimal | None, added: Decimal) -> Decimal | None:
    if first is None or second is None:
        return first or second
    return (first * amount + second * added) / (amount + added)
