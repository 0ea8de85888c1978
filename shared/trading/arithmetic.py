"""Decimal arithmetic with enough digits that no product of money and price is rounded. Knows no markets."""

from contextlib import AbstractContextManager
from decimal import ROUND_DOWN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from math import lcm

# Balances, prices and steps have at most some 20 digits each, so products of three are exact; a quotient that
# is not is cut towards zero, never rounded up.
_EXACT = Context(prec=80, rounding=ROUND_DOWN, traps=[InvalidOperation, DivisionByZero, Overflow])


def exact() -> AbstractContextManager[Context]:
    """Return a context in which sums and products are exact and quotients are cut towards zero."""
    return localcontext(_EXACT)


def least_common_step(first: Decimal, second: Decimal) -> Decimal:
    """Return the smallest step that is a multiple of both; a step of 0 means none."""
    if not first or not second:
        return first or second
    with exact():
        unit = Decimal(1).scaleb(min(_exponent(first), _exponent(second)))
        return lcm(int(first / unit), int(second / unit)) * unit


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError("a step must be finite")  # noqa: TRY004
    return exponent
