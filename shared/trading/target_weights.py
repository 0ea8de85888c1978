"""Gives an alert's take-profits the weights that its strategy has set. Splits no amount."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from shared.trading.sides import Side


def weigh_targets(
    targets: Sequence[Decimal], *, side: Side, weights: Sequence[Decimal] | None
) -> tuple[Decimal, ...] | None:
    """Return the weight of each take-profit, in their order: the first weight is the nearest one's, and so on.

    With fewer targets than weights, the farther weights are left out. With more, the weights were not set for such an
    alert: this function returns None, as without weights and for equal ones, and the parts are equal.
    """
    if not weights or len(targets) > len(weights) or len(set(weights[: len(targets)])) <= 1:
        return None
    nearest_first = sorted(range(len(targets)), key=lambda index: side.sign * targets[index])
    ranks = {index: rank for rank, index in enumerate(nearest_first)}
    return tuple(weights[ranks[index]] for index in range(len(targets)))
