"""What an exit asks for, by the fields that a trigger and its executions have alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.trading.exits import Exit
from shared.trading.sides import TriggerAction
from shared.trading.updates import Update

if TYPE_CHECKING:
    from shared.models.execution import Execution
    from shared.models.trigger import Trigger


def exit_of(record: Trigger | Execution) -> Exit:
    """Return what an exit's trigger, or one of its executions, asks for."""
    return Exit(
        record.action,
        side=record.position_side,
        keep_share=record.keep_share,
        position_size=record.position_size,
        update=_update_of(record) if record.action is TriggerAction.UPDATE else None,
    )


def _update_of(record: Trigger | Execution) -> Update:
    return Update(
        stop=record.stop,
        breakeven=bool(record.stop_at_breakeven),
        breakeven_after=record.breakeven_after,
        take_profits=tuple(record.take_profits),
    )
