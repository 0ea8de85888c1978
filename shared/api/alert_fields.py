"""Parses the fields of an alert's body into an Alert, or into the documented faults. Checks no secret, stores nothing.

Plain code, not pydantic: the documentation defines the faults' messages, their order and their two stages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from shared.api import grammar
from shared.api.alert_json import Json
from shared.api.json_text import NumberText
from shared.clock import from_iso
from shared.errors import RequestUnprocessable
from shared.trading.arithmetic import exact
from shared.trading.exits import Exit
from shared.trading.sides import MarketPosition, Side, StopType, TriggerAction
from shared.trading.signal import Signal, Trailing, check_geometry
from shared.trading.stop_moves import MOST_TARGETS
from shared.trading.updates import Update

_POSITIVE = "must be greater than 0"
_BREAKEVEN = "breakeven"
_LOWEST_CALLBACK, _HIGHEST_CALLBACK = Decimal("0.1"), Decimal(10)
_PERCENT = Decimal(100)
_MAX_ALERT_ID = 128
_MAX_WIN_RATE = 64

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*", re.ASCII)

# The documentation's table and its example name the take-profits differently; the table's name comes first.
_TAKE_PROFITS = (
    ("takeProfit",),
    ("takeProfit1", "takeProfitPrice1"),
    ("takeProfit2", "takeProfitPrice2"),
    ("takeProfit3", "takeProfitPrice3"),
)

FIELDS = frozenset(
    {
        "alertId",
        "breakevenAfter",
        "callbackRate",
        "firedAt",
        "keep",
        "orderPrice",
        "position",
        "positionSize",
        "stop",
        "stopType",
        "strategy",
        "trailingTrigger",
        "type",
        "winRate",
        *(name for names in _TAKE_PROFITS for name in names),
    }
)
"""The fields that are read, without the secret."""

EXIT_FIELDS = {
    TriggerAction.REDUCE: ("keep",),
    TriggerAction.UPDATE: ("stop", *(name for names in _TAKE_PROFITS for name in names), "breakevenAfter"),
}
"""The fields that an exit without an alert is read from, an admin's."""

_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert, whose sender is not authenticated yet."""

    strategy_id: str
    secret: str | None = field(repr=False)
    instruction: Signal | Exit
    win_rate: str | None
    alert_id: str | None
    fired_at: datetime | None


def parse_alert(fields: Mapping[str, Json]) -> Alert:
    """Return the alert; raise RequestUnprocessable with every fault of single fields, else with the take-profits'."""
    reader = _Reader(fields)
    strategy_id = reader.read("strategy", _uuid)
    instruction = _read_instruction(reader)
    alert_id = reader.read("alertId", _alert_id)
    fired_at = reader.read("firedAt", _time)
    if reader.faults or strategy_id is None or instruction is None:
        raise RequestUnprocessable(reader.faults)
    return Alert(
        strategy_id=strategy_id,
        secret=secret_of(fields),
        instruction=instruction if isinstance(instruction, Exit) else _with_take_profits(instruction, fields),
        win_rate=None if isinstance(instruction, Exit) else _win_rate(fields.get("winRate")),
        alert_id=alert_id,
        fired_at=fired_at,
    )


def parse_exit(action: TriggerAction, fields: Mapping[str, Json]) -> Exit:
    """Return the reduction or update that its fields ask for, on either side; raise RequestUnprocessable.

    It is read as an alert's, by those of the fields that are in EXIT_FIELDS.
    """
    reader = _Reader({name: value for name, value in fields.items() if name in EXIT_FIELDS[action]})
    asked = _read_reduction(reader) if action is TriggerAction.REDUCE else _read_update(reader)
    if reader.faults or asked is None:
        raise RequestUnprocessable(reader.faults)
    return asked


def find_exit_action(value: Json) -> TriggerAction | None:
    """Return the type of exit that a value names, in any case; None if it is not among EXIT_FIELDS."""
    action = _find_member(TriggerAction, value)
    return action if action in EXIT_FIELDS else None


def secret_of(fields: Mapping[str, Json]) -> str | None:
    """Return the secret in an alert's body, or None; a number is none."""
    secret = fields.get("secret")
    return secret.strip() if isinstance(secret, str) and not isinstance(secret, NumberText) else None


def _read_instruction(reader: _Reader) -> Signal | Exit | None:
    """Return what the alert asks for; None if a field of it has a fault.

    Where the strategy stands after the alert decides, whatever its type is: flat closes, and a position that the type
    does not lead to, with its size, is what remains of a larger one.
    """
    position = _find_member(MarketPosition, reader.fields.get("position"))
    action = _find_member(TriggerAction, reader.fields.get("type"))
    if position is MarketPosition.FLAT:
        return Exit(TriggerAction.CLOSE)
    if action is TriggerAction.REDUCE:
        return _read_reduction(reader)
    if action is TriggerAction.UPDATE:
        return _read_update(reader)
    opened = _find_member(Side, reader.fields.get("type"))
    has_size = not is_absent(reader.fields.get("positionSize"))
    if position is not None and position.side is not opened and has_size:
        return _read_remaining(reader, position.side)
    return _read_close(reader) if action is TriggerAction.CLOSE else _read_signal(reader)


def _read_close(reader: _Reader) -> Exit:
    """Return the exit. Nothing else is read: prices have no meaning when the strategy is flat, and may be NaN."""
    _check_position(reader, MarketPosition.FLAT)
    return Exit(TriggerAction.CLOSE)


def _read_reduction(reader: _Reader) -> Exit | None:
    """Return the reduction to a share of the entry's amount, or to the strategy's own size; to the smaller of both."""
    size = _read_size(reader)
    by_size = not is_absent(reader.fields.get("positionSize")) and is_absent(reader.fields.get("keep"))
    keep_share = None if by_size else reader.read("keep", _keep_share)
    position = None if is_absent(reader.fields.get("position")) else reader.read("position", _position)
    if reader.faults:
        return None
    return Exit(TriggerAction.REDUCE, None if position is None else position.side, keep_share, size)


def _read_update(reader: _Reader) -> Exit | None:
    """Return the update. The side is known by `position` only; the prices are compared with `orderPrice` then."""
    fields = reader.fields
    at_breakeven = _is_word(fields.get("stop"), _BREAKEVEN)
    stop = None if at_breakeven or is_absent(fields.get("stop")) else reader.read("stop", _price_or_breakeven)
    after = reader.read("breakevenAfter", _target_number)
    position = None if is_absent(fields.get("position")) else reader.read("position", _position)
    price = None if is_absent(fields.get("orderPrice")) else reader.read("orderPrice", _number)
    targets = _read_targets(reader)
    if stop is None and after is None and not at_breakeven and not targets and not reader.faults:
        reader.add_fault("stop", "must include stop, takeProfit or breakevenAfter")
    side = None if position is None else position.side
    _check_sides(reader, side=side, price=price, stop=stop, targets=targets)
    update = Update(
        stop=stop, breakeven=at_breakeven, breakeven_after=after, take_profits=tuple(sorted(targets.values()))
    )
    return Exit(TriggerAction.UPDATE, side, update=update)


def _read_targets(reader: _Reader) -> dict[str, Decimal]:
    """Return the take-profits that have a price, by the names that they are given by."""
    names = [_given_name(reader.fields, names) for names in _TAKE_PROFITS]
    read = {name: reader.read(name, _number) for name in names if not is_absent(reader.fields.get(name))}
    return {name: price for name, price in read.items() if price is not None}


def _check_sides(
    reader: _Reader,
    *,
    side: Side | None,
    price: Decimal | None,
    stop: Decimal | None,
    targets: Mapping[str, Decimal],
) -> None:
    """Add the faults of an update's prices: by `orderPrice` where the side is known, else by each other."""
    if side is None or price is None:
        prices = targets.values()
        if stop is not None and not (all(one > stop for one in prices) or all(one < stop for one in prices)):
            reader.add_fault("stop", "must be on one side of every takeProfit")
        return
    # A stop that is not given is on the right side.
    assumed = price * (Decimal("0.5") if side is Side.BUY else Decimal(2)) if stop is None else stop
    moved = Signal(
        side=side, order_price=price, stop=assumed, stop_type=StopType.MARKET, take_profits=tuple(targets.values())
    )
    for path, message in check_geometry(moved):
        name = "stop" if path == "stop" else list(targets)[int(path.rpartition(".")[2])]
        reader.add_fault(name, message)


def _read_remaining(reader: _Reader, side: Side | None) -> Exit | None:
    size = _read_size(reader)
    return None if size is None else Exit(TriggerAction.REDUCE, side, position_size=size)


def _read_size(reader: _Reader) -> Decimal | None:
    """Return the strategy's own position after the alert; its side is in `position`, because the size has no sign."""
    if is_absent(reader.fields.get("positionSize")):
        return None
    size = reader.read("positionSize", _number)
    if size is not None and is_absent(reader.fields.get("position")):
        reader.add_fault("positionSize", "must use with position")
    return size


def _check_position(reader: _Reader, expected: MarketPosition | None) -> None:
    """Add a fault if the alert names a position of the strategy other than the one that its type leads to."""
    if is_absent(reader.fields.get("position")):
        return
    position = reader.read("position", _position)
    if None not in (position, expected) and position is not expected:
        reader.add_fault("position", "must agree with type")


def _read_signal(reader: _Reader) -> Signal | None:
    """Return the signal without its take-profits; None if a field of it has a fault."""
    order_price = reader.read("orderPrice", _number)
    side = reader.read("type", _side)
    stop = reader.read("stop", _number)
    signal = None
    if order_price is not None and side is not None and stop is not None:
        signal = Signal(side=side, order_price=order_price, stop=stop, stop_type=StopType.MARKET, take_profits=())
        for _, message in check_geometry(signal):
            reader.add_fault("stop", message)
    stop_type = reader.read("stopType", _stop_type)
    trailing = _read_trailing(reader)
    breakeven_after = reader.read("breakevenAfter", _target_number)
    _check_position(reader, None if side is None else MarketPosition.opened_by(side))
    size = _read_size(reader)
    if signal is None or stop_type is None:
        return None
    return replace(signal, stop_type=stop_type, trailing=trailing, position_size=size, breakeven_after=breakeven_after)


def field_fault(
    fields: Mapping[str, Json], param: str, message: str, *, given_as: str | None = None
) -> dict[str, object]:
    """Return a fault in the documented form, with the value only when the request had one."""
    name = given_as or param
    value = {"value": fields[name]} if name in fields else {}
    return {**value, "msg": message, "param": param, "location": "body"}


class _WrongValue(Exception):
    """A field's value is not allowed; the message says what it must be."""


class _Reader:
    """Parses field after field, and collects their faults in that order."""

    def __init__(self, fields: Mapping[str, Json]) -> None:
        self.fields = fields
        self.faults: list[dict[str, object]] = []

    def read(self, name: str, parse: Callable[[Json], _T]) -> _T | None:
        """Return the field's parsed value; add a fault and return None if it cannot be parsed."""
        try:
            return parse(self.fields.get(name))
        except _WrongValue as wrong:
            self.add_fault(name, str(wrong))
            return None

    def add_fault(self, name: str, message: str) -> None:
        """Add a fault of a field."""
        self.faults.append(field_fault(self.fields, name, message))


def _read_trailing(reader: _Reader) -> Trailing | None:
    has_trigger = not is_absent(reader.fields.get("trailingTrigger"))
    has_rate = not is_absent(reader.fields.get("callbackRate"))
    trigger = reader.read("trailingTrigger", _number) if has_trigger else None
    if trigger is not None and not has_rate:
        reader.add_fault("trailingTrigger", "must use with callbackRate")
    rate = reader.read("callbackRate", _callback_rate) if has_rate else None
    if rate is not None and not has_trigger:
        reader.add_fault("callbackRate", "must use with trailingTrigger")
    return None if trigger is None or rate is None else Trailing(trigger=trigger, callback_rate=rate)


def _with_take_profits(signal: Signal, fields: Mapping[str, Json]) -> Signal:
    """Return the signal with its take-profits; raise RequestUnprocessable for the faults of the group."""
    prices: dict[str, Decimal] = {}
    wrong: dict[str, str] = {}
    for name in take_profit_names(fields):
        try:
            prices[name] = _number(fields.get(name))
        except _WrongValue as error:
            wrong[name] = str(error)
    if not prices:
        raise RequestUnprocessable([_no_take_profit(fields)])
    signal = replace(signal, take_profits=tuple(prices.values()))
    given = list(prices)
    for path, message in check_geometry(signal):
        # Only "take_profits.<index>": the stop has passed this check before.
        wrong[given[int(path.rpartition(".")[2])]] = message
    if wrong:
        in_order = [name for names in _TAKE_PROFITS for name in names if name in wrong]
        raise RequestUnprocessable([field_fault(fields, name, wrong[name]) for name in in_order])
    return signal


def _no_take_profit(fields: Mapping[str, Json]) -> dict[str, object]:
    nested = [field_fault(fields, names[0], _POSITIVE, given_as=_given_name(fields, names)) for names in _TAKE_PROFITS]
    return {"msg": "must include at least one takeProfit", "param": "_error", "nestedErrors": nested}


def take_profit_names(fields: Mapping[str, Json]) -> list[str]:
    """Return the names of the fields by which an alert gives its take-profits, in the order of Signal's."""
    names = (_given_name(fields, names) for names in _TAKE_PROFITS)
    return [name for name in names if not is_absent(fields.get(name))]


def _given_name(fields: Mapping[str, Json], names: tuple[str, ...]) -> str:
    """Return the name that a price is given by: the first with a value, else the first given, else the first."""
    with_value = [name for name in names if not is_absent(fields.get(name))]
    return [*with_value, *(name for name in names if name in fields), *names][0]


def is_absent(value: Json) -> bool:
    """Return whether a value means that there is none."""
    return value is None or (isinstance(value, str) and grammar.is_absent(value))


def _number(value: Json) -> Decimal:
    number = grammar.parse_number(value) if isinstance(value, str) else None
    if number is None or number <= 0:
        raise _WrongValue(_POSITIVE)
    message = grammar.storage_fault(number)
    if message is not None:
        raise _WrongValue(message)
    return number


def _keep_share(value: Json) -> Decimal:
    message = f"must be greater than 0 and less than {_PERCENT}"
    try:
        percent = _number(value)
    except _WrongValue as error:
        raise _WrongValue(message) from error
    if percent >= _PERCENT:
        raise _WrongValue(message)
    with exact():
        return percent / _PERCENT


def _callback_rate(value: Json) -> Decimal:
    message = f"must be between {_LOWEST_CALLBACK} and {_HIGHEST_CALLBACK}"
    try:
        rate = _number(value)
    except _WrongValue as error:
        raise _WrongValue(message) from error
    if not _LOWEST_CALLBACK <= rate <= _HIGHEST_CALLBACK:
        raise _WrongValue(message)
    return rate


def _price_or_breakeven(value: Json) -> Decimal:
    try:
        return _number(value)
    except _WrongValue as error:
        message = f"{error} or {_BREAKEVEN}" if str(error) == _POSITIVE else str(error)
        raise _WrongValue(message) from error


def _is_word(value: Json, word: str) -> bool:
    return isinstance(value, str) and value.strip().isascii() and value.strip().lower() == word


def _target_number(value: Json) -> int | None:
    """Return which take-profit a value means, counted from the nearest; None if it means none."""
    if is_absent(value):
        return None
    number = grammar.parse_number(value) if isinstance(value, str) else None
    if number is None or number not in range(1, MOST_TARGETS + 1):
        raise _WrongValue(f"must be integer from 1 to {MOST_TARGETS}")
    return int(number)


def _uuid(value: Json) -> str:
    found = grammar.parse_uuid(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise _WrongValue("must be UUID")
    return found


def _side(value: Json) -> Side:
    return _member(Side, value, message="must be supported trade side")


def _stop_type(value: Json) -> StopType:
    return _member(StopType, value, message="must be supported order type")


def _position(value: Json) -> MarketPosition:
    return _member(MarketPosition, value, message="must be long, short or flat")


def _member(enum: type[_E], value: Json, *, message: str) -> _E:
    found = _find_member(enum, value)
    if found is None:
        raise _WrongValue(message)
    return found


def _find_member(enum: type[_E], value: Json) -> _E | None:
    # Only ASCII has the same letters in both cases: "mar\u212aet".lower() is "market".
    word = value.strip().upper() if isinstance(value, str) and value.strip().isascii() else None
    return next((member for member in enum if member.value == word), None)


def _alert_id(value: Json) -> str | None:
    if value is None:
        return None
    text = str(value).strip() if isinstance(value, str) else None
    if text is None or len(text) > _MAX_ALERT_ID or not _is_storable(text):
        raise _WrongValue(f"must be text of at most {_MAX_ALERT_ID} characters")
    return text or None


def _time(value: Json) -> datetime | None:
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else None
    if text == "":
        return None
    try:
        if text is not None and _TIME.fullmatch(text):
            return from_iso(text)
    except (ValueError, OverflowError):
        pass
    raise _WrongValue("must be ISO 8601 time")


def _win_rate(value: Json) -> str | None:
    """Return the win rate as it was written; it is only recorded, and never a fault."""
    if not isinstance(value, str) or not _is_storable(value):
        return None
    return str(value).strip()[:_MAX_WIN_RATE] or None


def _is_storable(text: str) -> bool:
    # JSON can spell half a surrogate pair, which no UTF-8 can hold.
    return not any("\ud800" <= character <= "\udfff" for character in text)
