"""A symbol's leverage brackets: the notional that a leverage allows, and its maintenance margin. Reads nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverageBracket:
    """The largest leverage up to `notional_cap`; the rate is a fraction (0.004 is 0.4 %)."""

    notional_cap: Decimal
    max_leverage: Decimal
    maintenance_margin_rate: Decimal


def notional_cap(brackets: Sequence[LeverageBracket], *, leverage: Decimal) -> Decimal:
    """Return the largest notional that a leverage allows; 0 if the symbol does not allow the leverage."""
    return max((bracket.notional_cap for bracket in brackets if bracket.max_leverage >= leverage), default=Decimal(0))


def maintenance_rate(brackets: Sequence[LeverageBracket], *, notional_usdt: Decimal) -> Decimal:
    """Return the maintenance rate of the bracket that a notional falls into, or of the last."""
    ordered = sorted(brackets, key=lambda bracket: bracket.notional_cap)
    reached = (bracket for bracket in ordered if notional_usdt <= bracket.notional_cap)
    return next(reached, ordered[-1]).maintenance_margin_rate
