"""The routes of one admin function: they are open to admins only. Knows no endpoint."""

from __future__ import annotations

from collections.abc import Mapping

from shared.api.admin_standing import require_standing
from shared.api.identity import admin_of, admin_session_of
from shared.api.json_api import JsonApi, PathText
from shared.api.maintenance import refuse_during_maintenance
from shared.observability import logger


class AdminApi(JsonApi):
    """The routes of one admin function. Maintenance closes them, unless they are there to end it."""

    def __init__(
        self, *, path_texts: Mapping[str, PathText] | None = None, open_during_maintenance: bool = False
    ) -> None:
        super().__init__(path_texts=path_texts)
        self._open_during_maintenance = open_during_maintenance

    def authenticate(self) -> None:
        """Identify the admin; raise AccessDenied for anybody else, and for who is no admin any more.

        Raise ServiceUnavailable during maintenance, and while Cognito does not say whether the admin still is one.
        """
        session = admin_session_of(self.current_event.raw_event)
        logger.append_keys(admin_id=session.admin_id)
        require_standing(session)
        if not self._open_during_maintenance:
            refuse_during_maintenance()

    @property
    def admin_id(self) -> str:
        """The id of the admin who sent the request."""
        return admin_of(self.current_event.raw_event)
