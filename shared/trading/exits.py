"""What an exit alert asks for, which position it means, and what several of them come to. Judges no age.

An exit states a target: closed, or a share of the entry's amount that is to remain. So exits may come twice, late and
in any order, and a position ends the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal

from shared.trading.place import PlaceInTime
from shared.trading.sides import Side, TriggerAction
from shared.trading.updates import Update

_NOTHING, _WHOLE = Decimal(0), Decimal(1)
# A share need not end; what is stored is cut to 28 digits, and never rounded up.
_SHARES = Context(prec=28, rounding=ROUND_DOWN)


@dataclass(frozen=True, slots=True)
class Exit:
    """A request about what is open; it opens nothing."""

    action: TriggerAction
    side: Side | None = None
    """The side of the positions that it means; None means either."""
    keep_share: Decimal | None = None
    """Of a reduction: the share of the entry's amount that is to remain, more than 0 and less than 1."""
    position_size: Decimal | None = None
    """Of a reduction: the strategy's own position after it, to be compared with its size at entry."""
    update: Update | None = None
    """Of an update, which asks for nothing less: what it says of the stop."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is to become of a position. Targets merge in any order and any number of times, and never ask for more."""

    keep_share: Decimal = _WHOLE
    """The share of the entry's amount that is to remain: 1 without a reduction, 0 of a close."""

    @property
    def closes(self) -> bool:
        """Whether nothing is to remain."""
        return not self.keep_share

    def merge(self, other: Target) -> Target:
        """Return the target of both: a close wins, else the smaller share."""
        return min(self, other, key=lambda target: target.keep_share)


UNCHANGED = Target()
CLOSED = Target(_NOTHING)


def means(
    exit_place: PlaceInTime, position_place: PlaceInTime, *, side: Side | None = None, held: Side | None = None
) -> bool:
    """Return whether an exit is for a position, by the places in time of the two triggers.

    It is for what is older, however late it comes, and never for what a newer trigger has opened. `held` is the
    position's side, which must be the exit's if it has one.
    """
    return position_place < exit_place and (side is None or held is None or side is held)


def target_of(asked: Exit, *, size_at_entry: Decimal | None) -> Target:
    """Return what an exit asks of a position; UNCHANGED if it asks for no less than the whole, or that is not known.

    `size_at_entry` is the strategy's own position after the entry. A position's size says nothing without it.
    """
    if asked.action is TriggerAction.CLOSE:
        return CLOSED
    shares = [asked.keep_share] if asked.keep_share is not None else []
    if asked.position_size is not None and size_at_entry:
        shares.append(_SHARES.divide(asked.position_size, size_at_entry))
    return Target(min([_WHOLE, *shares]))


def is_reduction(
    size: Decimal | None, *, side: Side, size_at_entry: Decimal | None, side_at_entry: Side | None
) -> bool:
    """Return whether an alert that leaves the strategy with this position reduces that of its latest entry.

    The same size or more is no reduction: the strategy has added to its position.
    """
    if size is None or size_at_entry is None:
        return False
    return side is side_at_entry and size < size_at_entry
