"""Derived ids: an execution's from its trigger and follower, an order's from execution, leg and attempt.

Deriving instead of drawing makes every repeat of a message speak of the same execution and the same orders.
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
    STOP = "STOP"
    STOP_BACKSTOP = "STOP_BACKSTOP"
    TAKE_PROFIT_1 = "TAKE_PROFIT_1"
    TAKE_PROFIT_2 = "TAKE_PROFIT_2"
    TAKE_PROFIT_3 = "TAKE_PROFIT_3"
    TAKE_PROFIT_4 = "TAKE_PROFIT_4"
    TRAILING = "TRAILING"
    CLOSE = "CLOSE"
    """A deliberate close: an opposite alert or an admin."""
    FLATTEN = "FLATTEN"
    """The emergency: a position that must not stay open."""

    @property
    def code(self) -> str:
        """The one character that stands for this leg in a client order id; never to be changed."""
        return _CODES[self]


TAKE_PROFIT_LEGS = (Leg.TAKE_PROFIT_1, Leg.TAKE_PROFIT_2, Leg.TAKE_PROFIT_3, Leg.TAKE_PROFIT_4)
STOP_LEGS = (Leg.STOP, Leg.STOP_BACKSTOP)

_CODES = {
    Leg.ENTRY: "E",
    Leg.STOP: "S",
    Leg.STOP_BACKSTOP: "B",
    Leg.TAKE_PROFIT_1: "1",
    Leg.TAKE_PROFIT_2: "2",
    Leg.TAKE_PROFIT_3: "3",
    Leg.TAKE_PROFIT_4: "4",
    Leg.TRAILING: "T",
    Leg.CLOSE: "C",
    Leg.FLATTEN: "F",
}
_LEGS = {code: leg for leg, code in _CODES.items()}


@dataclass(frozen=True, slots=True)
class OrderRef:
    """What a client order id of ours says."""

    execution_id: str
    leg: Leg
    attempt: int


def execution_id(trigger_id: str, follower_id: str) -> str:
    """Return the id of the one execution of a trigger on a follower, lower-case."""
    return str(uuid5(EXECUTION_NAMESPACE, f"{trigger_id.lower()}:{follower_id.lower()}"))


def client_order_id(prefix: str, execution_id: str, leg: Leg, attempt: int) -> str:
    """Return the id an order carries at the exchange; raise ValueError if the exchange would refuse it."""
    if attempt < 0:
        raise ValueError("an attempt must not be negative")
    # Attempts have no fixed width; everything before them has, so ids of different orders never meet.
    identity = _encode(UUID(execution_id).int).rjust(_UUID_WIDTH, _ALPHABET[0])
    made = f"{prefix}{identity}{leg.code}{_encode(attempt)}"
    if not _CLIENT_ORDER_ID.fullmatch(made):
        raise ValueError(f"the exchange takes no client order id like {made!r}")
    return made


def parse_client_order_id(client_order_id: str, *, prefix: str) -> OrderRef | None:
    """Return what a client order id says, or None if it is not of our making."""
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
