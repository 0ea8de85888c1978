"""Break-even on the deployed stack: the first target fills, and each follower's stop is above its entry soon after."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal
from typing import Any

from tests.system.stack_client import Stack, wait_for

WITHIN_S = 90
TAKER_RATE = Decimal("0.0005")
TICK = Decimal("0.1")


def break_even(entry_price: Decimal) -> Decimal:
    """Return the price at which a long position loses nothing, with the fees of both ways."""
    return (entry_price * (1 + TAKER_RATE) / (1 - TAKER_RATE)).quantize(TICK, ROUND_UP)


def closing_stops(account: dict[str, Any]) -> list[Decimal]:
    return [
        Decimal(order["triggerPrice"]) for order in account["openOrders"] if order.get("orderType") == "STOP_MARKET"
    ]


def test_stop_is_at_break_even_soon_after_the_first_target_has_filled(stack: Stack) -> None:
    stack.move_price("BTCUSDT", "20000")
    strategy = stack.add_strategy("BREAK-EVEN", followers=2)
    opened = strategy.fire(breakevenAfter=1)
    expected = [[break_even(one["entry_price"])] for one in strategy.wait_until_all(opened, "PROTECTED")]

    stack.move_price("BTCUSDT", "20310")

    def at_break_even() -> bool:
        found = [closing_stops(account) for account in strategy.accounts()]
        assert all(found), "a position is without a stop"
        return found == expected

    wait_for("every stop at break-even", at_break_even, timeout_s=WITHIN_S)
    stack.move_price("BTCUSDT", "20000")
    closed = strategy.wait_until_all(opened, "CLOSED", timeout_s=180)
    assert {one["close_reason"] for one in closed} == {"STOP"}
    assert all(one["profit"] > 0 for one in closed)
    assert [(account["positions"], account["openOrders"]) for account in strategy.accounts()] == [([], [])] * 2
