"""An alert that reduces: by its type, or because less of the strategy's position remains after it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.trading.exits import UNCHANGED, Exit
from shared.trading.sides import Side, TriggerAction
from tests.unit.functions.strategy_webhook.webhook import (
    SECRET,
    SELL,
    STRATEGY_ID,
    Webhook,
    accepted,
    faults,
    stored_alerts,
)

REDUCE = {"strategy": STRATEGY_ID, "secret": SECRET, "type": "reduce", "keep": "50"}
BUY = {**SELL, "type": "buy", "stop": 19200, "takeProfit": 19300}
LONG_OF_4 = BUY | {"position": "long", "positionSize": "4"}
LONG_OF_1 = {
    "strategy": STRATEGY_ID,
    "secret": SECRET,
    "type": "sell",
    "position": "long",
    "positionSize": "1",
    "orderPrice": "NaN",
    "stop": "NaN",
    "takeProfit": "NaN",
}


def alerts() -> StrategyAlerts:
    found = stored_alerts()
    assert found is not None
    return found


def reduction(
    side: Side | None = None, keep_share: str | None = None, position_size: str | None = None
) -> tuple[TriggerAction, Exit]:
    share, size = (None if text is None else Decimal(text) for text in (keep_share, position_size))
    return TriggerAction.REDUCE, Exit(TriggerAction.REDUCE, side, share, size)


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        (REDUCE, reduction(keep_share="0.5")),
        (REDUCE | {"type": " Reduce ", "keep": 99.9, "position": "NaN"}, reduction(keep_share="0.999")),
        (REDUCE | {"position": "long"}, reduction(Side.BUY, "0.5")),
        (REDUCE | {"position": "SHORT", "positionSize": "2"}, reduction(Side.SELL, "0.5", "2")),
        (REDUCE | {"keep": "NaN", "position": "short", "positionSize": "2"}, reduction(Side.SELL, None, "2")),
        (LONG_OF_1, reduction(Side.BUY, None, "1")),
        (LONG_OF_1 | {"position": "short", "type": "BUY"}, reduction(Side.SELL, None, "1")),
        (LONG_OF_1 | {"type": "close", "keep": "x"}, reduction(Side.BUY, None, "1")),
        (LONG_OF_1 | {"type": ["whatever"]}, reduction(Side.BUY, None, "1")),
    ],
)
def test_reduction_is_accepted_with_what_it_asks_for(
    webhook: Webhook, fields: dict[str, Any], asked: tuple[TriggerAction, Exit]
) -> None:
    trigger = accepted(webhook, fields)
    assert (trigger.action, trigger.exit) == asked
    assert not trigger.opens
    assert all(value is None for value in (trigger.side, trigger.price, trigger.stop, trigger.stop_type))
    assert webhook.queued() == [trigger.id]


def test_sample_reduction_is_accepted(webhook: Webhook) -> None:
    assert webhook.sample("reduce").status == 200
    assert [trigger.keep_share for trigger in webhook.triggers()] == [Decimal("0.5")]


@pytest.mark.parametrize("keep", [None, "NaN", "0", "100", "-1", "100.1", "half", True, ["50"]])
def test_reduction_needs_a_share_between_nothing_and_all(webhook: Webhook, keep: object) -> None:
    assert faults(webhook, REDUCE, keep=keep) == [("keep", "must be greater than 0 and less than 100")]


def test_faults_of_a_reduction_are_those_of_the_fields_that_are_read(webhook: Webhook) -> None:
    assert faults(webhook, REDUCE, position="sideways") == [("position", "must be long, short or flat")]
    assert faults(webhook, REDUCE, positionSize="2") == [("positionSize", "must use with position")]
    assert faults(webhook, LONG_OF_1, positionSize="0") == [("positionSize", "must be greater than 0")]
    assert faults(webhook, LONG_OF_4, positionSize="many") == [("positionSize", "must be greater than 0")]
    assert faults(webhook, BUY, positionSize="2") == [("positionSize", "must use with position")]


# -- the size at entry -----------------------------------------------------------------------------------------------


def test_entry_keeps_its_size_with_the_trigger_and_with_the_strategy(webhook: Webhook) -> None:
    trigger = accepted(webhook, LONG_OF_4)
    assert (trigger.opens, trigger.position_size) == (True, Decimal(4))
    known = alerts()
    assert (known.entry_place, known.entry_side, known.entry_size) == (trigger.place, Side.BUY, Decimal(4))


def test_entry_without_a_size_forgets_that_of_the_one_before(webhook: Webhook) -> None:
    accepted(webhook, LONG_OF_4, fired_s=-5)
    accepted(webhook, SELL, fired_s=-1)
    assert alerts().entry_side is Side.SELL
    assert alerts().entry_size is None


@pytest.mark.parametrize(("size", "opens"), [("3.9", False), ("4", True), ("5", True)])
def test_entry_type_with_less_than_at_entry_is_a_reduction_and_one_with_as_much_or_more_is_an_entry(
    webhook: Webhook, size: str, opens: bool
) -> None:
    accepted(webhook, LONG_OF_4, fired_s=-5)
    trigger = accepted(webhook, LONG_OF_4, fired_s=-1, positionSize=size)
    assert (trigger.opens, trigger.position_size) == (opens, Decimal(size))
    assert trigger.position_side is (None if opens else Side.BUY)


@pytest.mark.parametrize("between", [REDUCE | {"type": "close"}, SELL])
def test_entry_after_another_alert_opens_however_small_it_is(webhook: Webhook, between: dict[str, Any]) -> None:
    accepted(webhook, LONG_OF_4, fired_s=-5)
    accepted(webhook, between, fired_s=-3)
    assert accepted(webhook, LONG_OF_4, fired_s=-1, positionSize="1").opens


def test_entry_opens_once_an_admin_has_closed_the_position_of_a_larger_one(webhook: Webhook) -> None:
    larger = accepted(webhook, LONG_OF_4, fired_s=-5)
    StrategyAlerts(STRATEGY_ID).update(actions=[StrategyAlerts.closed_place.set(larger.place)])
    assert accepted(webhook, LONG_OF_4, fired_s=-1, positionSize="1").opens


def test_entry_opens_once_the_strategy_was_activated_again(webhook: Webhook) -> None:
    accepted(webhook, LONG_OF_4, fired_s=-5)
    activated_at = webhook.now - timedelta(seconds=3)
    Strategy(STRATEGY_ID).update(actions=[Strategy.active_since.set(activated_at)])
    assert accepted(webhook, LONG_OF_4, fired_s=-2, positionSize="3").opens
    assert not accepted(webhook, LONG_OF_4, fired_s=-1, positionSize="1").opens


def test_entry_of_the_second_of_a_larger_one_is_no_reduction_because_exits_come_first_within_a_second(
    webhook: Webhook,
) -> None:
    accepted(webhook, LONG_OF_4, fired_s=-1)
    assert accepted(webhook, LONG_OF_4, fired_s=-1, positionSize="1").opens


# -- place in time ---------------------------------------------------------------------------------------------------


def test_reduction_supersedes_nothing_and_is_not_overtaken(webhook: Webhook) -> None:
    first = accepted(webhook, REDUCE, fired_s=-1)
    assert alerts().latest_alert_place is None
    buy = accepted(webhook, BUY, fired_s=-20)
    late = accepted(webhook, REDUCE, fired_s=-40)
    assert [one.overtaken for one in (first, buy, late)] == [False] * 3
    assert (alerts().latest_alert_place, alerts().latest_trigger_id) == (buy.place, buy.id)


def test_entry_that_comes_after_reductions_that_mean_it_is_known_to_be_reduced(webhook: Webhook) -> None:
    accepted(webhook, REDUCE, fired_s=-4)
    accepted(webhook, REDUCE, fired_s=-3, keep="25", position="short")
    accepted(webhook, LONG_OF_1, fired_s=-2)
    buy = accepted(webhook, LONG_OF_4, fired_s=-10)

    known = alerts()
    assert known.target_of(buy.place, side=Side.BUY, size_at_entry=Decimal(4)).keep_share == Decimal("0.25")
    assert known.target_of(buy.place, side=Side.BUY, size_at_entry=None).keep_share == Decimal("0.5")
    newer = accepted(webhook, BUY, fired_s=-1)
    assert alerts().target_of(newer.place, side=Side.BUY, size_at_entry=None) == UNCHANGED


def test_reductions_are_forgotten_once_no_entry_that_they_mean_can_open(webhook: Webhook) -> None:
    accepted(webhook, REDUCE)
    webhook.wait(89)
    accepted(webhook, REDUCE, keep="40")
    assert len(alerts().recent_exits) == 2
    webhook.wait(3)
    accepted(webhook, REDUCE, keep="30")
    assert len(alerts().recent_exits) == 2
    webhook.wait(1)
    accepted(webhook, BUY)
    webhook.wait(1)
    accepted(webhook, REDUCE, keep="20")
    assert len(alerts().recent_exits) == 1


@pytest.mark.parametrize("newer", [BUY, REDUCE | {"type": "close"}])
def test_reductions_before_a_newer_entry_or_close_are_forgotten_with_it(
    webhook: Webhook, newer: dict[str, Any]
) -> None:
    accepted(webhook, REDUCE, fired_s=-3)
    accepted(webhook, newer, fired_s=-2)
    assert alerts().recent_exits is None


def test_record_keeps_no_more_than_the_newest_hundred_reductions(webhook: Webhook) -> None:
    for number in range(102):
        accepted(webhook, REDUCE, keep=str(number % 90 + 1), alertId=str(number))
    kept = alerts().recent_exits
    assert len(kept) == 100
    assert [one["place"] for one in kept] == sorted(one["place"] for one in kept)


# -- repeats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [REDUCE, LONG_OF_1])
def test_repeat_of_a_reduction_without_a_firing_time_is_recognised_beside_other_reductions(
    webhook: Webhook, fields: dict[str, Any]
) -> None:
    accepted(webhook, LONG_OF_4)
    webhook.wait(5)
    first = accepted(webhook, fields)
    second = accepted(webhook, fields | {"keep": "20", "positionSize": "0.5", "position": "long"})
    webhook.wait(5)
    assert accepted(webhook, fields).id == first.id != second.id
    webhook.wait(13)
    assert accepted(webhook, fields).id != first.id


def test_reduction_hides_no_repeat_of_the_close_of_its_second(webhook: Webhook) -> None:
    accepted(webhook, BUY)
    close = accepted(webhook, REDUCE | {"type": "close"})
    accepted(webhook, REDUCE)
    webhook.wait(5)
    assert accepted(webhook, REDUCE | {"type": "close"}).id == close.id


def test_repeat_of_an_entry_type_that_was_a_reduction_is_the_same_alert(webhook: Webhook) -> None:
    accepted(webhook, LONG_OF_4)
    webhook.wait(5)
    first = accepted(webhook, LONG_OF_4, positionSize="2")
    webhook.wait(5)
    assert accepted(webhook, LONG_OF_4, positionSize="2").id == first.id
