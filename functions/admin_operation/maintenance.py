"""Turns maintenance on and off for an admin. Knows no HTTP."""

from __future__ import annotations

from functions.admin_operation.schemas import MaintenanceBody, MaintenanceItem
from shared.api import maintenance
from shared.observability import logger


def set_active(body: MaintenanceBody) -> MaintenanceItem:
    """Set the switch; raise ServiceUnavailable where SSM does not take it."""
    maintenance.set_maintenance(on=body.active)
    logger.warning("maintenance_set", active=body.active)
    return {"active": body.active}
