"""Times without a stop and differences between end states, from books written by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from local.faults.stack.end_state import Span, end_state, is_naked, naked_times, split_at


def fill(at_ms: int, side: str, qty: str, number: int = 0) -> dict[str, Any]:
    return {"time": at_ms, "id": number or at_ms, "side": side, "qty": qty}


def stop(side: str, created_ms: int, ended_ms: int | None = None) -> dict[str, Any]:
    return {
        "orderType": "STOP_MARKET",
        "side": side,
        "triggerPrice": "19700",
        "createTime": created_ms,
        "updateTime": ended_ms or created_ms,
        "algoStatus": "CANCELED" if ended_ms else "NEW",
    }


def naked_ms(trades: list[dict[str, Any]], *orders: dict[str, Any], now_ms: int = 10_000) -> int:
    spans = naked_times({"trades": trades, "orders": list(orders)}, now_ms=now_ms)
    return max((span.duration_ms for span in spans), default=0)


@pytest.mark.parametrize(
    ("trades", "orders", "expected"),
    [
        ([], [], 0),
        ([fill(1000, "BUY", "1")], [stop("SELL", 1200)], 200),
        ([fill(1000, "BUY", "1")], [], 9000),
        # A stop of the other side closes nothing.
        ([fill(1000, "BUY", "1")], [stop("BUY", 1200)], 9000),
        # Replaced with a gap, and with none.
        ([fill(1000, "BUY", "1")], [stop("SELL", 1100, 3000), stop("SELL", 3700)], 700),
        ([fill(1000, "BUY", "1")], [stop("SELL", 1100, 3000), stop("SELL", 2900)], 100),
        # Never naked again once it is closed, in parts or whole; what stood before it does not count.
        (
            [fill(1000, "BUY", "1"), fill(2000, "SELL", "0.4"), fill(4000, "SELL", "0.6")],
            [stop("SELL", 500, 3000)],
            1000,
        ),
        ([fill(1000, "BUY", "1"), fill(1500, "SELL", "1")], [], 500),
        # Turned around in one fill: the position on the other side has a time of its own.
        ([fill(1000, "BUY", "1"), fill(2000, "SELL", "3")], [stop("SELL", 1000, 2000), stop("BUY", 2300)], 300),
    ],
)
def test_naked_is_every_moment_with_a_position_and_no_stop_of_its_side(
    trades: list[dict[str, Any]], orders: list[dict[str, Any]], expected: int
) -> None:
    assert naked_ms(trades, *orders) == expected


def test_every_gap_between_stops_is_found() -> None:
    orders = [stop("SELL", 1100, 3000), stop("SELL", 3700, 4000), stop("SELL", 3900, 5000)]
    book = {"trades": [fill(1000, "BUY", "1"), fill(6000, "SELL", "1")], "orders": orders}
    assert naked_times(book, now_ms=10_000) == [Span(1000, 1100), Span(3000, 3700), Span(5000, 6000)]


def test_a_time_without_a_stop_is_split_at_the_kills() -> None:
    span = Span(1000, 9000)
    assert split_at(span, []) == [span]
    assert split_at(span, [500, 9500, 4000, 2000]) == [Span(1000, 2000), Span(2000, 4000), Span(4000, 9000)]


def book(*, position: str = "0.5", stops: int = 1, targets: tuple[str, ...] = ("0.2", "0.3")) -> dict[str, Any]:
    standing = [stop("SELL", 1000) for _ in range(stops)] + [
        {"type": "LIMIT", "side": "SELL", "price": "20300", "origQty": amount} for amount in targets
    ]
    entry = {"type": "LIMIT", "timeInForce": "IOC", "side": "BUY", "executedQty": "0.5", "time": 900}
    refused = entry | {"executedQty": "0"}
    return {
        "openOrders": standing,
        "orders": [entry, refused, *standing],
        "trades": [fill(900, "BUY", "0.5")],
        "positions": [{"amount": position}] if Decimal(position) else [],
        "walletBalance": "9995",
    }


def execution(**changes: Any) -> dict[str, Any]:
    return {"state": "PROTECTED", "amount": Decimal("0.500"), "filled_amount": Decimal("0.5")} | changes


def test_equal_followers_have_no_difference_however_their_numbers_are_written() -> None:
    ours = end_state(book(), [execution()])
    assert ours.differences(end_state(book(), [execution(amount=Decimal("0.5"))])) == []
    assert ours.violations() == []


def test_every_difference_is_named() -> None:
    theirs = end_state(book(), [execution()])
    twice = book()
    twice["orders"].append({"type": "LIMIT", "timeInForce": "IOC", "side": "BUY", "executedQty": "0.5", "time": 950})
    for ours, named in (
        (end_state(twice, [execution()]), "fills_at_once"),
        (end_state(book(stops=0), [execution()]), "stops"),
        (end_state(book(targets=("0.2",)), [execution()]), "targets"),
        (end_state(book(), [execution(state="DENIED", reason="STALE")]), "executions"),
        (end_state(book(), [None]), "executions"),
        (end_state(book(position="1.0"), [execution()]), "position"),
    ):
        (difference,) = ours.differences(theirs)
        assert difference.startswith(named)


@pytest.mark.parametrize(
    ("books", "fault"),
    [
        (book(stops=0), "0 stops"),
        (book(stops=2), "2 stops"),
        (book(targets=("0.2",)), "do not sum"),
        (book(position="0"), "flat account"),
        (book() | {"openOrders": [*book()["openOrders"], {"type": "STOP"}]}, "unexpected orders"),
    ],
)
def test_violation_is_found_without_another_run(books: dict[str, Any], fault: str) -> None:
    (found,) = end_state(books, [execution()]).violations()
    assert fault in found


def test_account_is_naked_only_with_a_position_and_without_a_stop() -> None:
    assert is_naked(book(stops=0))
    assert not is_naked(book())
    assert not is_naked(book(position="0", stops=0, targets=()))
