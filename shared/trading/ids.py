"""Derives ids: an execution's from its trigger and follower, an order's from execution, leg and attempt.

Since ids are not random, every repeat of a message refers to the same execution and the same orders.
"""

import re
import string
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid5

EXECUTION_NAMESPACE = UUID("6f0f3c7e-3f5b-5d0a-9f43-1c2b7c9d8e51")

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_BASE = len(_ALPHABET)
_UUID_BITS = 128
_UUID_WIDTH = 22
_CLIENT_ORDER_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")


class Leg(StrEnum):
    """The part that an order plays in an execution."""

    ENTRY = "ENTRY"
    ENTRY_REMAINDER = "ENTRY_REMAINDER"
    """What the entry left unfilled, sent once more."""
    STOP = "STOP"
    STOP_BACKSTOP = "STOP_BACKSTOP"
    TAKE_PROFIT_1 = "TAKE_PROFIT_1"
    TAKE_PROFIT_2 = "TAKE_PROFIT_2"
    TAKE_PROFIT_3 = "TAKE_PROFIT_3"
    TAKE_PROFIT_4 = "TAKE_PROFIT_4"
    TRAILING = "TRAILING"
    CLOSE = "CLOSE"
    """A close on purpose: by an opposite alert or an admin."""
    REDUCE = "REDUCE"
    """A part that an exit alert closes."""
    FLATTEN = "FLATTEN"
    """The emergency close of a position that must not stay open."""

    @property
    def code(self) -> str:
        """The character of this leg in a client order id; must never change."""
        return _CODES[self]


ENTRY_LEGS = (Leg.ENTRY, Leg.ENTRY_REMAINDER)
"""The legs that open a position."""
TAKE_PROFIT_LEGS = (Leg.TAKE_PROFIT_1, Leg.TAKE_PROFIT_2, Leg.TAKE_PROFIT_3, Leg.TAKE_PROFIT_4)
STOP_LEGS = (Leg.STOP, Leg.STOP_BACKSTOP)

_CODES = {
    Leg.ENTRY: "E",
    Leg.ENTRY_REMAINDER: "R",
    Leg.STOP: "S",
    Leg.STOP_BACKSTOP: "B",
    Leg.TAKE_PROFIT_1: "1",
    Leg.TAKE_PROFIT_2: "2",
    Leg.TAKE_PROFIT_3: "3",
    Leg.TAKE_PROFIT_4: "4",
    Leg.TRAILING: "T",
    Leg.CLOSE: "C",
    Leg.REDUCE: "D",
    Leg.FLATTEN: "F",
}
_LEGS = {code: leg for leg, code in _CODES.items()}


@dataclass(frozen=True, slots=True)
class OrderRef:
    """The parts of a client order id of ours."""

    execution_id: str
    leg: Leg
    attempt: int


def execution_id(trigger_id: str, follower_id: str) -> str:
    """Return the id of a trigger's execution on a follower, in lower case."""
    return str(uuid5(EXECUTION_NAMESPACE, f"{trigger_id.lower()}:{follower_id.lower()}"))


def client_order_id(prefix: str, execution_id: str, leg: Leg, attempt: int) -> str:
    """Return an order's id at the exchange; raise ValueError if the exchange would refuse it."""
    if attempt < 0:
        raise ValueError("an attempt must not be negative")
    # Everything before the attempt has a fixed width, so ids of different orders never collide.
    identity = _encode(UUID(execution_id).int).rjust(_UUID_WIDTH, _ALPHABET[0])
    made = f"{prefix}{identity}{leg.code}{_encode(attempt)}"
    if not _CLIENT_ORDER_ID.fullmatch(made):
        raise ValueError(f"the exchange takes no client order id like {made!r}")
    return made


def parse_client_order_id(client_order_id: str, *, prefix: str) -> OrderRef | None:
    """Return the parts of a client order id, or None if it is not ours."""
    if not client_order_id.startswith(prefix) or not _CLIENT_ORDER_ID.fullmatch(client_order_id):
        return None
    own = client_order_id[len(prefix) :]
    identity, code, attempt = own[:_UUID_WIDTH], own[_UUID_WIDTH : _UUID_WIDTH + 1], own[_UUID_WIDTH + 1 :]
    number, attempt_number = _decode(identity), _decode(attempt)
    leg = _LEGS.get(code)
    if number is None or attempt_number is None or leg is None:
        return None
    if number >> _UUID_BITS or _encode(attempt_number) != attempt:
        return None
    return OrderRef(execution_id=str(UUID(int=number)), leg=leg, attempt=attempt_number)


def _encode(number: int) -> str:
    digits = []
    while True:
        number, value = divmod(number, _BASE)
        digits.append(_ALPHABET[value])
        if not number:
            return "".join(reversed(digits))


def _decode(text: str) -> int | None:
    if not text:
        return None
    number = 0
    for character in text:
        value = _VALUES.get(character)
        if value is None:
            return None
        number = number * _BASE + value
    return number
