"""A lapse stops new entries, which the executor sees to; what is open is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from shared.models.base import Table
from shared.trading.execution import ExecutionState
from tests.unit.functions.subscription_recorder.recorder import (
    BASIC_PRICE,
    CREATED,
    DELETED,
    PRO,
    PRO_PRICE,
    Recorder,
    an_event,
)
from tests.unit.in_process_aws import Queues
from tests.unit.records import (
    USER_ID,
    a_follower,
    a_plan,
    a_slot,
    a_strategy,
    a_trigger,
    a_user,
    an_exchange_key,
    an_execution,
)

WRITTEN = {"users", "stripe_events", "stripe_customers", "stripe_subscriptions", "notices"}


def everything_else() -> dict[str, list[dict[str, Any]]]:
    """Return every record of every table that is none of the recorder's."""
    nouns = {model: model.Meta.table_name.split("-", 1)[1] for model in Table.__subclasses__()}
    return {
        noun: [record.to_dynamodb_dict() for record in model.scan()]
        for model, noun in nouns.items()
        if noun not in WRITTEN
    }


@pytest.mark.parametrize(
    "change",
    [{"type_": DELETED}, {"status": "unpaid"}, {"price_ids": [BASIC_PRICE]}],
    ids=["canceled", "unpaid", "a smaller plan"],
)
def test_open_positions_keep_their_protection(tables: Queues, change: dict[str, Any]) -> None:
    a_plan(PRO, name="PRO", stripe_price_id=PRO_PRICE)
    a_plan("basic", name="BASIC", stripe_price_id=BASIC_PRICE)
    a_user(plan_id=PRO)
    a_strategy()
    follower = a_follower("one")
    an_exchange_key(follower.api_key_id)
    a_slot(an_execution(a_trigger("bought", seq=1), follower, state=ExecutionState.PROTECTED))
    recorder = Recorder(tables)
    assert recorder.take(an_event(CREATED)) == []
    before = everything_else()
    assert all(before[noun] for noun in ("executions", "position_slots", "followers", "triggers", "exchange_keys"))

    assert recorder.take(an_event(seconds=9, **change)) == []

    assert recorder.user(USER_ID).stripe_revision == 2
    assert everything_else() == before
    for queue in (tables.orders, tables.triggers, tables.reconcile):
        assert tables.sent_to(queue) == []
