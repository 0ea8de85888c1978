"""What an exit alert asks for, and which position it means. Closes nothing, judges no age: an exit is never stale."""

from __future__ import annotations

from dataclasses import dataclass

from shared.trading.place import PlaceInTime
from shared.trading.sides import TriggerAction


@dataclass(frozen=True, slots=True)
class Exit:
    """A request about what is open; it opens nothing."""

    action: TriggerAction


def means(exit_place: PlaceInTime, position_place: PlaceInTime) -> bool:
    """Return whether an exit is for a position, by the places in time of the two triggers.

    It is for what is older, however late it comes, and never for what a newer trigger has opened.
    """
    return position_place < exit_place
