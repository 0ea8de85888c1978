"""Keeps alerts that the webhook has refused, for the operator, because TradingView shows nobody its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.api.alert_fields import FIELDS
from shared.api.json_text import write_json
from shared.api.redaction import redact
from shared.models.refused_alert import RefusedAlert
from shared.observability import count_outcome, logger
from shared.process_state import on_reset

_MOST_REMEMBERED = 1000
_remembered: set[str] = set()
"""Ids that are taken: in a flood, this process writes each once."""

on_reset(_remembered.clear)


def keep_refused_alert(
    fields: Mapping[str, Any], *, strategy_id: str, status: int, faults: Sequence[Mapping[str, object]], at: datetime
) -> None:
    """Store a refused alert of a known strategy, without secrets, unless there have been many like it."""
    body = write_json(redact(fields, known=FIELDS))
    record_id = RefusedAlert.id_of(strategy_id, status=status, body=body, at=at)
    if record_id in _remembered:
        return
    plain = [{"param": str(one["param"]), "msg": str(one["msg"])} for one in faults]
    kept = RefusedAlert.keep(record_id, strategy_id=strategy_id, status=status, faults=plain, body=body, at=at)
    if len(_remembered) >= _MOST_REMEMBERED:
        _remembered.clear()
    _remembered.add(record_id)
    if not kept:
        return
    logger.info("refused_alert_kept", strategy_id=strategy_id, status=status)
    if status == 401:  # noqa: PLR2004 - HTTP
        # Anybody who knows the strategy's id can cause it: it must not ring with the refusals of senders we know.
        count_outcome("unauthorized_alert_kept")
    elif RefusedAlert.tell(strategy_id, status=status, at=at):
        # On record first: an alarm that rings each minute would hide the next strategy's refusal.
        count_outcome("refused_alert_told")
        logger.warning("refused_alert_told", strategy_id=strategy_id, status=status)
