"""Reads what an admin's exit asks for, in the words of an alert and with the alerts' own reader. Places nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from functions.admin_strategy_follower.schemas import WRONG_TYPE, ExitOrder
from shared.api.alert_fields import find_exit_action, parse_exit
from shared.api.events import raw_body_of
from shared.api.json_text import Dialect, NumberText, read_object
from shared.api.requests import MAX_BODY_BYTES, Fault, fault
from shared.errors import RequestUnprocessable
from shared.trading.exits import Exit
from shared.trading.sides import TriggerAction
from shared.trading.signal import Content

_AS_WRITTEN: Final = Dialect(number=NumberText)
"""JSON as every admin's body, with numbers as the alerts' reader takes them."""


@dataclass(frozen=True, slots=True)
class ReadExit:
    """What an exit's body asks for; with faults, `asked` is of no use."""

    action: TriggerAction
    asked: Exit
    faults: Sequence[Fault] = ()


def read_exit(event: Mapping[str, Any], *, faults: Sequence[Fault]) -> ReadExit | None:
    """Return what a body with a `type` asks for, with the faults of its fields; None if it has no `type`.

    Raise RequestInvalid if the body is no JSON object, RequestUnprocessable with the given `faults` for another type.
    """
    raw = raw_body_of(event, max_bytes=MAX_BODY_BYTES, called="request body")
    fields = read_object(raw, called="request body", dialect=_AS_WRITTEN)
    if "type" not in fields:
        return None
    action = find_exit_action(fields["type"])
    if action is None:
        raise RequestUnprocessable([*faults, fault(WRONG_TYPE, param="type", location="body", value=fields["type"])])
    try:
        return ReadExit(action, parse_exit(action, fields))
    except RequestUnprocessable as error:
        return ReadExit(action, Exit(action), error.faults)


def content_of(asked: Exit, chosen: ExitOrder) -> dict[str, Content]:
    """Return the content that is the same for repeats of one request."""
    return {
        "exit": dataclasses.asdict(asked),
        "followers": chosen.strategy_follow_ids,
        "allFollowers": chosen.all_followers,
    }
