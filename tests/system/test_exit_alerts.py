"""An exit alert on the deployed stack: every follower is flat and has an answer; the next entry opens again."""

from __future__ import annotations

from datetime import timedelta

from shared.clock import to_iso, utc_now
from tests.system.stack_client import Stack, wait_for


def test_message_of_a_strategy_opens_turns_and_leaves(stack: Stack) -> None:
    stack.move_price("BTCUSDT", "20000")
    strategy = stack.add_strategy("LEAVING", followers=2)
    # An exit counts as earlier than an entry of the same second, so each alert has a second of its own.
    fired_at = [to_iso(utc_now() - timedelta(seconds=ago)) for ago in (3, 2, 1)]
    bought = strategy.fire(position="long", firedAt=fired_at[0])
    strategy.wait_until_all(bought, "PROTECTED")
    short = {"type": "sell", "stop": "20300", "takeProfitPrice1": "19700", "takeProfitPrice2": "19400"}
    sold = strategy.fire(**short, takeProfitPrice3="NaN", position="short", firedAt=fired_at[1])
    positions = strategy.wait_until_all(sold, "PROTECTED")

    left = strategy.fire(type="buy", position="flat", stop="NaN", takeProfitPrice1="NaN", firedAt=fired_at[2])

    answers = strategy.wait_until_all(left, "DONE")
    assert [(one["reason"], one["detail"]) for one in answers] == [("APPLIED", one["id"]) for one in positions]
    closed = strategy.wait_until_all(sold, "CLOSED")
    assert {one["close_reason"] for one in closed} == {"EXIT_ALERT"}
    assert [(account["positions"], account["openOrders"]) for account in strategy.accounts()] == [([], [])] * 2
    shown = strategy.trigger(left)
    assert (shown["action"], shown["tradeSide"], shown["price"]) == ("CLOSE", None, None)
    wait_for("the exit's end", lambda: not strategy.trigger(left)["active"])
