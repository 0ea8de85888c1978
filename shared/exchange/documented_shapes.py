"""Converts ccxt's unified structures to the documented shapes of the API, by tables of fields. Floats end here.

Only documented fields are returned, in the documented order, without those that have no value, as in the examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from shared.trading.symbols import symbol_name, unlisted_symbol_name

Source = Callable[[Mapping[str, Any]], Any]
Fields = Mapping[str, Source]

_RATIO_STEP = Decimal("0.0001")


def _same(name: str) -> Source:
    return lambda item: item.get(name)


def _symbol(item: Mapping[str, Any]) -> str:
    """ccxt names a linear contract `BTC/USDT:USDT`; the documentation says `BTC/USDT`.

    The name comes from the exchange's own: ccxt renames some assets, and dates by the day of delivery.
    """
    pair, venue_name = str(item["symbol"]).partition(":")[0], str(item["info"]["symbol"])
    _, separator, quote = pair.partition("/")
    name = symbol_name(venue_name, quote=quote) if separator else None
    return unlisted_symbol_name(venue_name) if name is None else name


def _exchange_type(order: Mapping[str, Any]) -> str:
    """ccxt normalises `type` (`stop_market` becomes `market`); the documentation shows the exchange's own."""
    info = order["info"]
    return str(info.get("orderType") or info.get("type") or order["type"]).lower()


def _if_sized(name: str) -> Source:
    """An order that closes the whole position has no amount: the exchange's 0 is left out."""
    return lambda order: order.get(name) if order.get("amount") else None


def _unless_zero(name: str) -> Source:
    return lambda item: item.get(name) or None


def _trigger(order: Mapping[str, Any]) -> Any:
    return order.get("stopPrice") or order.get("triggerPrice") or None


def _or_zero(name: str) -> Source:
    return lambda item: item.get(name) or 0


def _or_false(name: str) -> Source:
    return lambda item: bool(item.get(name))


def _or_empty(name: str) -> Source:
    return lambda item: item.get(name) or []


def _collateral(position: Mapping[str, Any]) -> Any:
    """Return ccxt's collateral, or a long position's value at entry where ccxt has none.

    ccxt computes it from the liquidation price, and returns 0 for a position that no price liquidates. The
    documentation's example is such a position, and shows the collateral for a liquidation price of 0: the value at
    entry.
    """
    if position.get("collateral") or position.get("side") != "long" or position.get("entryPrice") is None:
        return position.get("collateral")
    value = Decimal(1)
    for name in ("contracts", "contractSize", "entryPrice"):
        value *= Decimal(repr(position[name]))
    return _plain(value)


def _margin_ratio(position: Mapping[str, Any]) -> Any:
    collateral, maintenance = _collateral(position), position.get("maintenanceMargin")
    if position.get("marginRatio") is not None or not collateral or maintenance is None:
        return position.get("marginRatio")
    ratio = Decimal(repr(maintenance)) / Decimal(str(collateral))
    return _plain(ratio.quantize(_RATIO_STEP, ROUND_HALF_UP))


def _fee_fields(fee: Mapping[str, Any] | None, *names: str) -> dict[str, Any] | None:
    """Return the documented fields of a fee; None if the exchange returned no fee."""
    if not fee or fee.get("cost") is None:
        return None
    return {name: fee.get(name) for name in names}


POSITION: Fields = {
    "symbol": _symbol,
    **{
        name: _same(name)
        for name in (
            "contracts",
            "contractSize",
            "unrealizedPnl",
            "leverage",
        )
    },
    "collateral": _collateral,
    **{
        name: _same(name)
        for name in (
            "notional",
            "markPrice",
            "entryPrice",
            "timestamp",
            "initialMargin",
            "initialMarginPercentage",
            "maintenanceMargin",
            "maintenanceMarginPercentage",
        )
    },
    "marginRatio": _margin_ratio,
    "datetime": _same("datetime"),
    "marginMode": _same("marginMode"),
    # ccxt dropped `marginType`, which was another name for the same.
    "marginType": _same("marginMode"),
    "side": _same("side"),
    "hedged": _same("hedged"),
    "percentage": _same("percentage"),
}

ORDER: Fields = {
    "id": _same("id"),
    "clientOrderId": _same("clientOrderId"),
    "timestamp": _same("timestamp"),
    "datetime": _same("datetime"),
    "symbol": _symbol,
    "type": _exchange_type,
    "timeInForce": _same("timeInForce"),
    "postOnly": _or_false("postOnly"),
    "reduceOnly": _or_false("reduceOnly"),
    "side": _same("side"),
    "price": _unless_zero("price"),
    "stopPrice": _trigger,
    "amount": _if_sized("amount"),
    "cost": _or_zero("cost"),
    "average": _unless_zero("average"),
    "filled": _or_zero("filled"),
    "remaining": _if_sized("remaining"),
    "status": _same("status"),
    "trades": _or_empty("trades"),
    "fees": _or_empty("fees"),
}


TRADE: Fields = {
    "timestamp": _same("timestamp"),
    "datetime": _same("datetime"),
    "symbol": _symbol,
    **{name: _same(name) for name in ("id", "order", "side", "takerOrMaker", "price", "amount", "cost")},
    "fee": lambda trade: _fee_fields(trade.get("fee"), "cost", "currency"),
    "fees": lambda trade: [_fee_fields(fee, "currency", "cost") for fee in trade.get("fees") or []],
}

_COPIED_FROM_CONDITIONAL = ("clientOrderId", "stopPrice", "triggerPrice", "reduceOnly")
"""Fields of a triggered conditional order that the regular order which it became lacks."""

BALANCE: Fields = {name: _or_zero(name) for name in ("free", "used", "total")}


def to_documented(item: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """Return the documented fields of one ccxt structure, with exact numbers and without None."""
    found = {name: _exact(source(item)) for name, source in fields.items()}
    return {name: value for name, value in found.items() if value is not None}


def _plain(number: Decimal) -> Decimal | int:
    return int(number) if number == number.to_integral_value() else number


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        # The shortest text that reads back as the same float is what the exchange sent.
        return _plain(Decimal(repr(value)))
    if isinstance(value, Mapping):
        return {name: _exact(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    return value


def one_per_order(
    regular: Iterable[Mapping[str, Any]], conditional: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return a history with each order once, although a triggered conditional order becomes another, regular order.

    Such an order appears as the regular order, whose id the trades name, with the client id and the trigger price of
    the conditional order, as in the documentation's example of a stop.
    """
    orders = {str(order["id"]): order for order in regular}
    for placed in conditional:
        actual_id = str(placed["info"].get("actualOrderId") or "")
        if actual_id in orders:
            copied = {name: placed[name] for name in _COPIED_FROM_CONDITIONAL if placed.get(name)}
            orders[actual_id] = {**orders[actual_id], **copied}
        else:
            # Regular and conditional orders are numbered separately, so both may have this id.
            orders[f"conditional {placed['id']}"] = placed
    return list(orders.values())


def newest_first(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return documented items, which the exchange lists oldest first, newest first; those without a time last."""
    return sorted(items, key=lambda item: item.get("timestamp") or 0)[::-1]
