"""A follower's end state, by the exchange's books and ours, and its times without a stop. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from itertools import pairwise
from typing import Any

from local.bench.books import fills_at_once

_ENDED = frozenset({"CANCELED", "EXPIRED", "REJECTED", "FINISHED", "TRIGGERED"})
_OUTCOME = ("state", "reason", "side", "amount", "filled_amount", "entry_price", "exit_price", "profit", "close_reason")


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time, in milliseconds."""

    begun_ms: float
    ended_ms: float

    @property
    def duration_ms(self) -> int:
        """The span's length."""
        return round(self.ended_ms - self.begun_ms)


@dataclass(frozen=True, slots=True)
class EndState:
    """Everything about a follower at rest that must be the same after kills as without them."""

    executions: tuple[tuple[str, ...], ...]
    """For each trigger: state, reason, sizes, prices, profit; the one text `missing` without an execution."""
    position: Decimal
    stops: tuple[tuple[str, Decimal], ...]
    """Side and trigger price of each open stop."""
    targets: tuple[tuple[str, Decimal, Decimal], ...]
    """Side, price and amount of each open take-profit."""
    others: int
    """The number of other open orders."""
    fills_at_once: tuple[tuple[str, Decimal], ...]
    """Every filled entry and market order by time, which shows an entry sent twice and a position closed by mistake."""
    balance: Decimal

    def differences(self, other: EndState) -> list[str]:
        """Return what differs, one text for each field."""
        pairs = ((one.name, getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        return [f"{name}: {ours} instead of {theirs}" for name, theirs, ours in pairs if ours != theirs]

    def violations(self) -> list[str]:
        """Return what no end state may have, whatever the other run's is."""
        found = []
        if self.position and len(self.stops) != 1:
            found.append(f"{len(self.stops)} stops at a position of {self.position}")
        if self.position and self.targets and sum(amount for *_, amount in self.targets) != abs(self.position):
            found.append(f"take-profits that do not sum to the position of {self.position}")
        if not self.position and (self.stops or self.targets):
            found.append("orders on a flat account")
        if self.others:
            found.append(f"{self.others} unexpected orders")
        return found


def end_state(book: Mapping[str, Any], executions: Sequence[Mapping[str, Any] | None]) -> EndState:
    """Return a follower's end state from its account's books and its executions, one for each trigger."""
    open_orders = book["openOrders"]
    stops = [order for order in open_orders if order.get("orderType") == "STOP_MARKET"]
    targets = [order for order in open_orders if order.get("type") == "LIMIT"]
    filled = [order for order in book["orders"] if fills_at_once(order) and Decimal(order["executedQty"])]
    return EndState(
        executions=tuple(_outcome(one) for one in executions),
        position=sum((Decimal(one["amount"]) for one in book["positions"]), Decimal(0)),
        stops=tuple(sorted((one["side"], Decimal(one["triggerPrice"])) for one in stops)),
        targets=tuple(sorted((one["side"], Decimal(one["price"]), Decimal(one["origQty"])) for one in targets)),
        others=len(open_orders) - len(stops) - len(targets),
        fills_at_once=tuple(
            (one["side"], Decimal(one["executedQty"])) for one in sorted(filled, key=lambda order: order["time"])
        ),
        balance=Decimal(book["walletBalance"]),
    )


def _outcome(execution: Mapping[str, Any] | None) -> tuple[str, ...]:
    if execution is None:
        return ("missing",)
    return tuple(_text(execution.get(name)) for name in _OUTCOME)


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return "" if value is None else str(value)


def naked_times(book: Mapping[str, Any], *, now_ms: float) -> list[Span]:
    """Return the times at which the account held a position without a stop, by the exchange's own books."""
    stops = [order for order in book["orders"] if order.get("orderType") == "STOP_MARKET"]
    return [gap for held in _held(book["trades"], now_ms) for gap in _gaps(held, stops, now_ms=now_ms)]


def split_at(span: Span, moments_ms: Sequence[float]) -> list[Span]:
    """Return the parts of a span between the moments that lie within it."""
    cuts = [span.begun_ms, *sorted(one for one in moments_ms if span.begun_ms < one < span.ended_ms), span.ended_ms]
    return [Span(begun_ms, ended_ms) for begun_ms, ended_ms in pairwise(cuts)]


def has_stop(book: Mapping[str, Any], *, since_ms: float) -> bool:
    """Return whether a stop was placed since then, open or not."""
    return any(one.get("orderType") == "STOP_MARKET" and one["createTime"] >= since_ms for one in book["orders"])


def is_naked(book: Mapping[str, Any]) -> bool:
    """Return whether the account holds a position and has no open stop."""
    return bool(book["positions"]) and not any(one.get("orderType") == "STOP_MARKET" for one in book["openOrders"])


@dataclass(frozen=True, slots=True)
class _Held:
    """How long a position was held, in milliseconds, and the side of the orders that close it."""

    begun_ms: float
    ended_ms: float
    closing_side: str


def _held(trades: Sequence[Mapping[str, Any]], now_ms: float) -> Iterator[_Held]:
    """Yield the positions that result from one symbol's fills."""
    amount, begun_ms = Decimal(0), 0.0
    for trade in sorted(trades, key=lambda one: (one["time"], one["id"])):
        before = amount
        amount += Decimal(trade["qty"]) * (1 if trade["side"] == "BUY" else -1)
        if before and amount * before <= 0:
            yield _Held(begun_ms, trade["time"], _closing_side(before))
        if amount * before <= 0:
            begun_ms = trade["time"]
    if amount:
        yield _Held(begun_ms, now_ms, _closing_side(amount))


def _closing_side(amount: Decimal) -> str:
    return "SELL" if amount > 0 else "BUY"


def _gaps(held: _Held, stops: Sequence[Mapping[str, Any]], *, now_ms: float) -> Iterator[Span]:
    """Yield the times at which no stop protected a position."""
    standing = sorted(
        (stop["createTime"], stop["updateTime"] if stop["algoStatus"] in _ENDED else now_ms)
        for stop in stops
        if stop["side"] == held.closing_side
    )
    covered_until_ms = held.begun_ms
    for begun_ms, ended_ms in [*standing, (held.ended_ms, held.ended_ms)]:
        if covered_until_ms < min(begun_ms, held.ended_ms):
            yield Span(covered_until_ms, min(begun_ms, held.ended_ms))
        covered_until_ms = max(covered_until_ms, ended_ms)
