"""Changes the record of an egress lane for an admin. Knows no HTTP, and asks nothing of the exchange."""

from __future__ import annotations

from datetime import datetime

from functions.admin_operation.schemas import NULL_OR_PRESENT, LaneChange, LaneItem
from shared.api.requests import Fault, fault, raise_faults
from shared.clock import to_iso
from shared.errors import NotFound
from shared.models.egress_lane import EgressLane
from shared.observability import logger

_ENDINGS = {"paused_until": "pausedUntil", "banned_until": "bannedUntil"}


def find_lane(lane: str) -> EgressLane:
    """Return the record of a lane in use; raise NotFound."""
    record = EgressLane.find_used(lane)
    if record is None:
        raise NotFound(f"{lane} is not in use")
    return record


def update_lane(record: EgressLane, body: LaneChange) -> LaneItem:
    """Set what the request names; raise RequestUnprocessable for a new end of a pause or a ban."""
    changes = body.changes()
    faults: list[Fault] = []
    for name, param in _ENDINGS.items():
        value = changes.get(name)
        if value is not None:
            if value != _time(getattr(record, name)):
                faults.append(fault(NULL_OR_PRESENT, param=param, location="body", value=value))
            # The exchange sets it: what is sent back unchanged is left to its next answer.
            del changes[name]
    raise_faults(faults)
    if changes:
        record = EgressLane.configure(record.lane, changes)
        logger.warning("lane_configured", lane=record.lane, changed=sorted(changes))
    return lane_item(record)


def lane_item(record: EgressLane) -> LaneItem:
    """Return a lane as documented."""
    return {
        "lane": record.lane,
        "address": record.address,
        "weightLimit": record.weight_limit,
        "keys": record.keys,
        "pausedUntil": _time(record.paused_until),
        "bannedUntil": _time(record.banned_until),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else to_iso(moment)
