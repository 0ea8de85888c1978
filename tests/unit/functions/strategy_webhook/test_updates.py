"""An alert that moves the stop: a price, break-even, or the target after which it is to move there."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.models.trigger import Trigger
from shared.trading.exits import Exit
from shared.trading.sides import Side, TriggerAction
from shared.trading.updates import NOTHING, Requested, Update
from tests.unit.functions.strategy_webhook.webhook import (
    SECRET,
    SELL,
    STRATEGY_ID,
    Webhook,
    accepted,
    faults,
    stored_alerts,
)

UPDATE = {"strategy": STRATEGY_ID, "secret": SECRET, "type": "update"}
BUY = {**SELL, "type": "buy", "stop": 19200, "takeProfit": 19300}


def requested(side: Side = Side.BUY, *, place_of: Trigger) -> Requested:
    alerts = stored_alerts()
    return NOTHING if alerts is None else alerts.requested_of(place_of.place, side=side)


@pytest.mark.parametrize(
    ("fields", "side", "update"),
    [
        ({"stop": "19250.5"}, None, Update(stop=Decimal("19250.5"))),
        ({"stop": 19250.5, "breakevenAfter": "NaN"}, None, Update(stop=Decimal("19250.5"))),
        ({"stop": " BreakEven "}, None, Update(breakeven=True)),
        ({"breakevenAfter": 2}, None, Update(breakeven_after=2)),
        ({"stop": "NaN", "breakevenAfter": "1", "position": "short"}, Side.SELL, Update(breakeven_after=1)),
        ({"stop": "19250", "position": "long", "orderPrice": "19300"}, Side.BUY, Update(stop=Decimal(19250))),
        ({"stop": "19350", "position": "short", "orderPrice": "19300"}, Side.SELL, Update(stop=Decimal(19350))),
        ({"stop": "19350", "orderPrice": "19300", "takeProfit": "NaN"}, None, Update(stop=Decimal(19350))),
        ({"takeProfit": "19500", "takeProfit2": 19400}, None, Update(take_profits=(Decimal(19400), Decimal(19500)))),
        (
            {"takeProfitPrice1": "19200", "stop": "breakeven"},
            None,
            Update(breakeven=True, take_profits=(Decimal(19200),)),
        ),
        (
            {"stop": "19250", "takeProfit": "19400", "position": "long", "orderPrice": "19300"},
            Side.BUY,
            Update(stop=Decimal(19250), take_profits=(Decimal(19400),)),
        ),
    ],
)
def test_update_is_accepted_with_what_it_says(
    webhook: Webhook, fields: dict[str, Any], side: Side | None, update: Update
) -> None:
    trigger = accepted(webhook, UPDATE | fields)
    assert (trigger.action, trigger.exit) == (TriggerAction.UPDATE, Exit(TriggerAction.UPDATE, side, update=update))
    assert not trigger.opens
    assert webhook.queued() == [trigger.id]


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, ("stop", "must include stop, takeProfit or breakevenAfter")),
        ({"stop": "NaN", "breakevenAfter": ""}, ("stop", "must include stop, takeProfit or breakevenAfter")),
        ({"stop": 0}, ("stop", "must be greater than 0 or breakeven")),
        ({"stop": "entry"}, ("stop", "must be greater than 0 or breakeven")),
        ({"stop": ["breakeven"]}, ("stop", "must be greater than 0 or breakeven")),
        ({"stop": "1", "breakevenAfter": 5}, ("breakevenAfter", "must be integer from 1 to 4")),
        ({"stop": "1", "position": "sideways"}, ("position", "must be long, short or flat")),
        ({"stop": "1", "orderPrice": "-1"}, ("orderPrice", "must be greater than 0")),
        ({"takeProfit1": "-1"}, ("takeProfit1", "must be greater than 0")),
        (
            {"stop": "19300", "takeProfit": "19200", "takeProfit1": "19400"},
            ("stop", "must be on one side of every takeProfit"),
        ),
        ({"stop": "19300", "takeProfit": "19300"}, ("stop", "must be on one side of every takeProfit")),
        (
            {"takeProfit1": "19300", "position": "long", "orderPrice": "19300"},
            ("takeProfit1", "must be greater than orderPrice"),
        ),
        (
            {"takeProfit2": "19400", "position": "short", "orderPrice": "19300"},
            ("takeProfit2", "must be less than orderPrice"),
        ),
        ({"stop": "19300", "position": "long", "orderPrice": "19300"}, ("stop", "must be less than orderPrice")),
        ({"stop": "19300", "position": "short", "orderPrice": "19400"}, ("stop", "must be greater than orderPrice")),
    ],
)
def test_update_with_a_fault_is_refused(webhook: Webhook, fields: dict[str, Any], fault: tuple[str, str]) -> None:
    assert faults(webhook, UPDATE | fields) == [fault]
    assert webhook.triggers() == []


def test_sample_update_is_accepted(webhook: Webhook) -> None:
    assert webhook.sample("update").status == 200
    assert [trigger.exit.update for trigger in webhook.triggers()] == [Update(breakeven=True)]


# -- place in time ---------------------------------------------------------------------------------------------------


def test_update_supersedes_no_entry(webhook: Webhook) -> None:
    update = accepted(webhook, UPDATE, stop="19250", fired_s=-1)
    late = accepted(webhook, BUY, fired_s=-2)
    assert (update.overtaken, late.overtaken) == (False, False)
    alerts = stored_alerts()
    assert alerts is not None
    assert alerts.latest_alert_place == late.place


def test_update_that_comes_before_its_entry_is_remembered_for_it(webhook: Webhook) -> None:
    accepted(webhook, UPDATE, stop="19250", fired_s=-1)
    accepted(webhook, UPDATE, stop="19240", breakevenAfter=2, takeProfit="19400", takeProfit1="19350", fired_s=-1)
    accepted(webhook, UPDATE, stop="breakeven", position="short", fired_s=-1)
    older = accepted(webhook, BUY, fired_s=-2)

    asked = requested(place_of=older)

    assert (asked.stop, asked.breakeven, asked.breakeven_after) == (Decimal(19250), False, 2)
    assert asked.take_profits == (Decimal(19350), Decimal(19400))
    assert requested(Side.SELL, place_of=older).breakeven
    newer = accepted(webhook, BUY, orderPrice="19299", fired_s=0)
    assert requested(place_of=newer) == NOTHING


# -- repeats ---------------------------------------------------------------------------------------------------------


def test_update_with_the_same_firing_time_is_one_alert_and_another_stop_is_another(webhook: Webhook) -> None:
    first = accepted(webhook, UPDATE, stop="19250", fired_s=0)
    assert accepted(webhook, UPDATE, stop="19250.0", fired_s=0).id == first.id
    assert accepted(webhook, UPDATE, stop="19251", fired_s=0).id != first.id
    assert accepted(webhook, UPDATE, stop="breakeven", fired_s=0).id != first.id


def test_repeat_without_a_firing_time_is_the_first_for_as_long_as_repeats_come(webhook: Webhook) -> None:
    first = accepted(webhook, UPDATE, stop="19250")
    webhook.wait(5)
    assert accepted(webhook, UPDATE, stop="19250").id == first.id
    webhook.wait(13)
    assert accepted(webhook, UPDATE, stop="19250").id != first.id
