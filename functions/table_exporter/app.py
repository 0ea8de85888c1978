"""Lambda `TableExporter`: the daily schedule."""

from __future__ import annotations

from typing import Any

from functions.table_exporter import service
from shared.worker import Invocation, scheduled_at


def lambda_handler(event: dict[str, Any], _context: Invocation) -> dict[str, list[str]]:
    """Begin the exports that are due; fail if an export has failed, and an alarm rings."""
    return {"begun": service.export_tables(scheduled_at(event))}
