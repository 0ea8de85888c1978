"""Fills that the exchange has confirmed with an order of ours, but does not list yet. Reads nothing."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from functions.order_executor.session import ExecutionSession
from shared.trading.ids import ENTRY_LEGS, Leg

EXIT_LEGS = tuple(leg for leg in Leg if leg not in ENTRY_LEGS)


def unlisted_amount(session: ExecutionSession, legs: Collection[Leg]) -> Decimal:
    """Return how much of some legs' orders has filled, by the exchange's answers, that its last list of fills lacks."""
    missing = Decimal(0)
    for order in session.ledger.of_leg(*legs):
        listed = sum((fill.amount for fill in session.fills_of(order)), Decimal(0))
        missing += max((order.filled or Decimal(0)) - listed, Decimal(0))
    return missing


def confirmed_amount(session: ExecutionSession, legs: Collection[Leg]) -> Decimal:
    """Return how much of some legs' orders has filled, by the last list of fills or by the exchange's answers."""
    orders = session.ledger.of_leg(*legs)
    return sum((fill.amount for fill in session.fills_of(*orders)), Decimal(0)) + unlisted_amount(session, legs)


def is_complete(session: ExecutionSession) -> bool:
    """Return whether the fills that were read last show all that the orders are known to have filled."""
    return not unlisted_amount(session, tuple(Leg))
