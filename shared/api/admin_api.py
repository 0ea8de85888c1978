"""The routes of one admin function: they are open to admins only. Knows no endpoint."""

from __future__ import annotations

from shared.api.identity import admin_of
from shared.api.json_api import JsonApi
from shared.api.maintenance import refuse_during_maintenance
from shared.observability import logger


class AdminApi(JsonApi):
    """The routes of one admin function."""

    def authenticate(self) -> None:
        """Identify the admin; raise AccessDenied for anybody else, and ServiceUnavailable during maintenance."""
        logger.append_keys(admin_id=self.admin_id)
        refuse_during_maintenance()

    @property
    def admin_id(self) -> str:
        """The id of the admin who sent the request."""
        return admin_of(self.current_event.raw_event)
