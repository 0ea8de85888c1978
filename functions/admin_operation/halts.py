"""Halts entries for an admin, and permits them again. Knows no HTTP, and closes no position."""

from __future__ import annotations

from functions.admin_operation.schemas import HaltBody, HaltItem
from shared.api.halt_scopes import lane_of, strategy_of, write_scope
from shared.api.records import find_record
from shared.clock import to_iso
from shared.errors import NotFound
from shared.models.egress_lane import EgressLane
from shared.models.strategy import Strategy
from shared.models.trading_switch import TradingSwitch
from shared.observability import logger


def require_known(scope: str) -> None:
    """Raise NotFound for a strategy that does not exist, or a lane that is not in use."""
    strategy_id, lane = strategy_of(scope), lane_of(scope)
    if strategy_id is not None:
        find_record(Strategy, strategy_id, noun="strategy")
    if lane is not None and EgressLane.find_used(lane) is None:
        raise NotFound(f"{lane} is not in use")


def halt(scope: str, body: HaltBody) -> HaltItem:
    """Halt entries in a scope."""
    switch = TradingSwitch.halt_by_operator(scope, reason=body.reason)
    logger.warning("entries_halted", scope=scope, reason=body.reason)
    return halt_item(switch)


def resume(scope: str) -> HaltItem:
    """Permit entries in a scope."""
    TradingSwitch.resume(scope)
    logger.warning("entries_resumed", scope=scope)
    return {"scope": write_scope(scope), "halted": False, "reason": None, "haltedAt": None}


def halt_item(switch: TradingSwitch) -> HaltItem:
    """Return a standing halt as documented."""
    return {
        "scope": write_scope(switch.scope),
        "halted": True,
        "reason": switch.reason,
        "haltedAt": to_iso(switch.since),
    }
