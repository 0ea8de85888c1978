"""An exit alert on the deployed stack: every follower is flat and has an answer; the next entry opens again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

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


@pytest.mark.parametrize(("name", "sizes"), [("PARTS-IN-ORDER", ("2", "1")), ("PARTS-SWAPPED", ("1", "2"))])
def test_two_reductions_of_one_bar_end_the_same_in_either_order(
    stack: Stack, name: str, sizes: tuple[str, str]
) -> None:
    stack.move_price("BTCUSDT", "20000")
    strategy = stack.add_strategy(name, followers=1)
    opened, left = (to_iso(utc_now() - timedelta(seconds=ago)) for ago in (3, 1))
    bought = strategy.fire(position="long", positionSize="4", firedAt=opened)
    (entered,) = strategy.wait_until_all(bought, "PROTECTED")

    parts = [strategy.fire(type="sell", position="long", positionSize=size, firedAt=left) for size in sizes]

    for part in parts:
        (answer,) = strategy.wait_until_all(part, "DONE")
        assert answer["reason"] in {"APPLIED", "NOTHING_TO_REDUCE"}
    amount = Decimal(entered["filled_amount"])

    def is_reduced() -> bool:
        (account,) = strategy.accounts()
        return [Decimal(one["amount"]) for one in account["positions"]] == [amount / 4]

    wait_for("a quarter of the position", is_reduced)
    (account,) = strategy.accounts()
    targets = [Decimal(one["origQty"]) for one in account["openOrders"] if one.get("type") == "LIMIT"]
    stops = [one for one in account["openOrders"] if one.get("orderType") == "STOP_MARKET"]
    assert (sum(targets), len(stops)) == (amount / 4, 1)
    assert strategy.trigger(parts[0])["action"] == "REDUCE"
