"""The scope of a halt as operators write it: `ALL`, `strategy:<id>` or `lane:<name>`. Halts nothing."""

from __future__ import annotations

from typing import Final

from shared.api.grammar import UUID, parse_uuid
from shared.models.trading_switch import EVERYTHING, lane_scope, strategy_scope
from shared.trading.lane_choice import LANES

SCOPE_PATTERN: Final = rf"^(ALL|strategy:{UUID}|lane:lane-[0-9]+)$"


def parse_scope(text: str) -> str | None:
    """Return the record's scope that a text names; None for any other text."""
    kind, _, name = text.partition(":")
    strategy_id = parse_uuid(name)
    if text == EVERYTHING:
        return EVERYTHING
    if kind == "strategy" and strategy_id is not None:
        return strategy_scope(strategy_id)
    if kind == "lane" and name in LANES:
        return lane_scope(name)
    return None


def write_scope(scope: str) -> str:
    """Return the text that names a record's scope."""
    return scope.replace("#", ":", 1)


def strategy_of(scope: str) -> str | None:
    """Return the strategy that a record's scope is about, or None."""
    return _name_of(scope, "strategy")


def lane_of(scope: str) -> str | None:
    """Return the lane that a record's scope is about, or None."""
    return _name_of(scope, "lane")


def _name_of(scope: str, kind: str) -> str | None:
    found, mark, name = scope.partition("#")
    return name if mark and found == kind else None
