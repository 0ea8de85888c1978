"""What the exchange has refused of a close, and how much may be sent instead. Sends nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from shared.exchange import error_codes
from shared.trading.filters import SymbolFilters, round_down


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A close that the exchange has refused; it was sent at a monotonic time, by the filters `sent_with`."""

    code: int | None
    amount: Decimal
    sent_with: SymbolFilters
    sent_at_s: float


@dataclass(slots=True)
class Refusals:
    """What the exchange has refused of one close so far."""

    last: Refusal | None = None
    contradicted: set[Decimal] = field(default_factory=set)
    """The amounts that other filters than ours have refused."""

    @property
    def overlap(self) -> bool:
        """Whether standing reduce-only orders seem to leave no place for the close."""
        return self.last is not None and self.last.code in error_codes.REDUCE_ONLY_REFUSED

    def record(self, refused: Refusal | None) -> None:
        """Record how the exchange has taken a close; None is without refusal."""
        self.last = refused
        if refused is not None and refused.code in error_codes.FILTERS_CONTRADICTED:
            self.contradicted.add(refused.amount)

    def cut_until_untried(self, amount: Decimal) -> Decimal:
        """Return the amount without the digits with which other filters have refused it; 0 if none is left.

        A step that has grown takes fewer decimals, so most of the position is closed before it can be read.
        """
        while amount in self.contradicted:
            last_digit = int(amount.normalize().as_tuple().exponent)
            amount = round_down(amount, Decimal(1).scaleb(last_digit + 1))
        return amount
