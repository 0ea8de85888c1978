"""Measures from a moment on: who is protected or flat, who has no stop, what it weighs. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from local.capacity.figures import Figures
from local.capacity.ground import Ground
from local.simulation.people import Follows

_WITHIN_MS = 60_000
_NAKED_MS = 5_000
_BANNED = 418


@dataclass(slots=True)
class Measurement:
    """What has happened on a ground since a moment (Unix milliseconds)."""

    ground: Ground
    began_ms: int

    def figures(self, scenario: str, *, held_s: int, more: dict[str, Any] | None = None) -> Figures:
        """Return the figures from the moment up to now."""
        people, naked = self.ground.people, self._naked_ms()
        closed_ms = [self.closed_after_ms(one) for one in people if self._sign_before(one)]
        return Figures(
            scenario=scenario,
            lanes=len(self.ground.lanes),
            followers=len(people),
            held_s=held_s,
            protected_in_60s=sum(self._is_safe(one) for one in people),
            closed_in_60s=sum(took is not None and took <= _WITHIN_MS for took in closed_ms),
            last_flat_s=_seconds(max((took for took in closed_ms if took is not None), default=None))
            if None not in closed_ms
            else None,
            naked_over_5s=sum(lasted > _NAKED_MS for lasted in naked),
            longest_naked_s=_seconds(max(naked, default=0)) or 0.0,
            banned=any(one.status == _BANNED for one in self._over_limit()),
            weight_by_class=self.ground.measured.weight_by_purpose(from_ms=self.began_ms, until_ms=self._now_ms()),
            more=more or {},
            unfilled_pct=self._unfilled_pct(),
        )

    def closed_after_ms(self, follows: Follows) -> int | None:
        """Return after how long the position that the account had at the moment was closed; None while it is open."""
        before = self._sign_before(follows)
        history = self.ground.measured.history[follows.account.api_key, follows.symbol]
        ends = (one.since_ms for one in history if one.since_ms >= self.began_ms and one.sign != before)
        ended_ms = next(ends, None)
        return None if ended_ms is None else ended_ms - self.began_ms

    def last_protected_s(self) -> float | None:
        """Return after how many seconds the last of the positions that are protected now was; None if none is."""
        standing = [self.ground.measured.standing_at(*key, self._now_ms()) for key in self.ground.measured.history]
        return _seconds(max((one.since_ms - self.began_ms for one in standing if one.is_protected), default=None))

    def all_closed(self) -> bool:
        """Return whether every position from before the moment is closed."""
        return all(self.closed_after_ms(one) is not None for one in self.ground.people if self._sign_before(one))

    def _is_safe(self, follows: Follows) -> bool:
        """Return whether the account was protected 60 s later in a new position, or flat after an exit."""
        before = self._sign_before(follows)
        then = self.ground.measured.standing_at(follows.account.api_key, follows.symbol, self.began_ms + _WITHIN_MS)
        return then.is_protected and then.sign != before if then.sign else before != 0

    def _sign_before(self, follows: Follows) -> int:
        return self.ground.measured.standing_at(follows.account.api_key, follows.symbol, self.began_ms - 1).sign

    def _naked_ms(self) -> list[int]:
        now_ms = self._now_ms()
        return [one.lasted_ms(now_ms) for one in self.ground.measured.naked.times if one.began_ms >= self.began_ms]

    def _over_limit(self) -> list[Any]:
        return [one for one in self.ground.measured.over_limit if one.at_ms >= self.began_ms]

    def _now_ms(self) -> int:
        return self.ground.measured.wall_ms()

    def _unfilled_pct(self) -> float:
        """Return how much of the planned amounts no order filled, of the entries that were sent since."""
        planned = filled = Decimal(0)
        for one in self.ground.executions():
            if one.amount and one.created_at.timestamp() * 1000 >= self.began_ms:
                planned += one.amount * one.order_price
                filled += (one.filled_amount or Decimal(0)) * one.order_price
        return round(float(100 * (1 - filled / planned)), 1) if planned else 0.0


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else round(milliseconds / 1000, 1)
