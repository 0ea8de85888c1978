"""Requests and answers of the endpoints of operations."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Any, ClassVar, TypedDict

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from shared.api.answers import Time
from shared.api.fields import UNCHANGED, FaultMessage, Flag, visible_text
from shared.api.requests import Body

LEAST_WEIGHT, MOST_WEIGHT = 100, 1_000_000


class HaltItem(TypedDict):
    """A halt of entries, or that there is none."""

    scope: str
    """`ALL`, `strategy:<id>` or `lane:<name>`."""
    halted: bool
    reason: str | None
    haltedAt: Time | None


Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(visible_text),
    FaultMessage("must be text of 1 to 200 visible characters"),
]


class HaltBody(Body):
    """Halt Entries: the body."""

    answer: ClassVar[type] = HaltItem

    reason: Reason


class MaintenanceItem(TypedDict):
    """Whether maintenance is on."""

    active: bool


class MaintenanceBody(Body):
    """Set Maintenance: the body."""

    answer: ClassVar[type] = MaintenanceItem

    active: Flag


class LaneItem(TypedDict):
    """An egress lane, as it is configured, and what the exchange has asked of it."""

    lane: str
    address: str | None
    weightLimit: int | None
    """The address's own weight per minute; null means the deployment's."""
    keys: int | None
    pausedUntil: Time | None
    bannedUntil: Time | None


def _address(text: str) -> str:
    return str(ip_address(text))


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise ValueError("not a whole number")  # noqa: TRY004 - pydantic lets a TypeError through
    return value


LaneAddress = Annotated[
    Annotated[str, StringConstraints(max_length=45), AfterValidator(_address)] | None,
    FaultMessage("must be null or IP address"),
]

LaneWeightLimit = Annotated[
    Annotated[int, Field(ge=LEAST_WEIGHT, le=MOST_WEIGHT)] | None,
    BeforeValidator(_no_boolean),
    FaultMessage(f"must be null or integer from {LEAST_WEIGHT} to {MOST_WEIGHT}"),
]

NULL_OR_PRESENT = "must be null or the present value"

Ending = Annotated[Annotated[str, StringConstraints(max_length=40)] | None, FaultMessage(NULL_OR_PRESENT)]
"""The end of a pause or a ban, which is sent back unchanged, or removed by null."""


class LaneChange(Body):
    """Update Lane: the body."""

    answer: ClassVar[type] = LaneItem

    address: LaneAddress = UNCHANGED
    weight_limit: LaneWeightLimit = UNCHANGED
    paused_until: Ending = UNCHANGED
    banned_until: Ending = UNCHANGED
