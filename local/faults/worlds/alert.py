"""One alert of a strategy, and what its deliveries were answered with. Sends nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from shared.models.strategy import Strategy
from shared.trading.exits import Exit
from shared.trading.signal import Signal


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a strategy, as TradingView sends it at every delivery."""

    strategy: Strategy
    instruction: Signal | Exit
    fired_at: datetime | None
    alert_id: str | None
    trigger_ids: list[str] = field(default_factory=list)
    """What the accepted deliveries were answered with."""

    @property
    def signal(self) -> Signal:
        """What an entry asks for; TypeError for an exit."""
        if not isinstance(self.instruction, Signal):
            raise TypeError("an exit has no signal")
        return self.instruction

    @property
    def is_recognisable(self) -> bool:
        """Whether a repeat can be told from another alert, whenever it comes."""
        return self.fired_at is not None or self.alert_id is not None
