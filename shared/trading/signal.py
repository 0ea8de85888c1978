"""What an alert or an admin requests, the check of its prices, and the fingerprint of its content. Sizes nothing."""

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from shared.trading.arithmetic import exact
from shared.trading.sides import Side, StopType

Content: TypeAlias = "str | bool | int | float | Decimal | Sequence[Content] | Mapping[str, Content] | Signal | None"


@dataclass(frozen=True, slots=True)
class Trailing:
    """A trailing stop: `trigger` is a distance from the order price, `callback_rate` is in percent."""

    trigger: Decimal
    callback_rate: Decimal


def trailing_of(trigger: Decimal | None, callback_rate: Decimal | None) -> Trailing | None:
    """Return the trailing stop, or None unless both values are given."""
    return None if trigger is None or callback_rate is None else Trailing(trigger=trigger, callback_rate=callback_rate)


@dataclass(frozen=True, slots=True)
class Signal:
    """A request to trade; `order_price` is the alert's, or the market's when an admin's request was accepted."""

    side: Side
    order_price: Decimal
    stop: Decimal
    stop_type: StopType
    take_profits: tuple[Decimal, ...]
    trailing: Trailing | None = None
    weights: tuple[Decimal, ...] | None = None
    """One for each take-profit, to which the parts of the position are in proportion; None means equal parts."""
    position_size: Decimal | None = None
    """The strategy's own position after the entry, which a later reduction is a share of."""
    breakeven_after: int | None = None
    """The target, counted from the nearest, after whose fill the stop moves to break-even."""


def without_targets(signal: Signal, passed: Collection[Decimal]) -> Signal:
    """Return the signal without the take-profits at these prices; the others keep their weights."""
    kept = [index for index, price in enumerate(signal.take_profits) if price not in passed]
    return dataclasses.replace(
        signal,
        take_profits=tuple(signal.take_profits[index] for index in kept),
        weights=None if signal.weights is None else tuple(signal.weights[index] for index in kept),
    )


def is_losing(side: Side, *, price: Decimal, reference: Decimal) -> bool:
    """Return whether a position opened at `reference` makes a loss at `price`."""
    return price < reference if side is Side.BUY else price > reference


def is_winning(side: Side, *, price: Decimal, reference: Decimal) -> bool:
    """Return whether a position opened at `reference` makes a profit at `price`."""
    return price > reference if side is Side.BUY else price < reference


def targets_ahead(signal: Signal, *, market_price: Decimal) -> tuple[Decimal, ...]:
    """Return the take-profits that the market has not passed: the others would be sold at once, for the fees."""
    return tuple(price for price in signal.take_profits if is_winning(signal.side, price=price, reference=market_price))


def check_geometry(signal: Signal, *, price_name: str = "orderPrice") -> list[tuple[str, str]]:
    """Return (field, message) for each price on the wrong side of the order price.

    The fields are Signal's; a take profit has its index, `take_profits.0`.
    """
    less, greater = f"must be less than {price_name}", f"must be greater than {price_name}"
    losing, winning = (less, greater) if signal.side is Side.BUY else (greater, less)
    faults = []
    if not is_losing(signal.side, price=signal.stop, reference=signal.order_price):
        faults.append(("stop", losing))
    for index, price in enumerate(signal.take_profits):
        if not is_winning(signal.side, price=price, reference=signal.order_price):
            faults.append((f"take_profits.{index}", winning))
    return faults


def fingerprint(content: Mapping[str, Content]) -> str:
    """Return the SHA-256 of a content, in hex: independent of the order of fields, with numbers compared by value.

    Texts are compared as texts, so prices must have been parsed. A field that is None counts as absent.
    """
    canonical = json.dumps(_canonical(content), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _canonical(value: Any) -> object:
    match value:
        case None | bool():
            return value
        case str():
            return f"text:{value}"
        case int() | float() | Decimal():
            return f"number:{_by_value(Decimal(str(value)))}"
        case Mapping():
            return {key: _canonical(item) for key, item in value.items() if item is not None}
        case Sequence():
            return [_canonical(item) for item in value]
        case Signal():
            return _canonical(dataclasses.asdict(value))
        case _:
            raise TypeError(f"a {type(value).__name__} has no fingerprint")


def _by_value(number: Decimal) -> str:
    if not number.is_finite():
        raise ValueError("a number must be finite")
    with exact():
        # Digits and exponent, not plain notation: 1E+999999 must not become a megabyte of zeros.
        sign, digits, exponent = number.normalize().as_tuple()
    if not number:
        return "0"
    return f"{'-' if sign else ''}{''.join(map(str, digits))}e{exponent}"
