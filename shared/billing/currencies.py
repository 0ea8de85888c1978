"""Amounts of Stripe's, which are whole numbers of a currency's smallest unit. Formats nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

_NO_DECIMALS: Final = (
    *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"),
)
_THREE_DECIMALS: Final = ("BHD", "JOD", "KWD", "OMR", "TND")
# Source: Stripe, "Supported currencies". ISK and UGX have no decimals either, but Stripe still writes them with two.


def amount_of(smallest_units: int, currency: str) -> Decimal:
    """Return an amount of Stripe's with every digit of its currency: 4900 is 49.00 EUR, and 4900 JPY."""
    return Decimal(smallest_units).scaleb(-_decimals(currency))


def with_every_digit(amount: Decimal, currency: str) -> Decimal:
    """Return the amount with every digit of its currency again: a table keeps no zeros at the end."""
    return amount.quantize(Decimal(1).scaleb(-_decimals(currency)))


def _decimals(currency: str) -> int:
    if currency in _NO_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2
