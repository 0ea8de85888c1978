"""An admin's exits by the endpoint of new orders: reductions, and updates of stop and take-profits."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.admin_strategy.schemas import trigger_item
from functions.admin_strategy_follower import ordering
from functions.admin_strategy_follower.app import lambda_handler
from functions.admin_strategy_follower.exit_fields import read_exit
from functions.admin_strategy_follower.schemas import ReduceOrder, UpdateOrder
from shared import admission
from shared.acceptance import accept_admin_order, accept_alert
from shared.clock import utc_now
from shared.models.execution import Execution
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.models.trigger import Trigger
from shared.trading.exits import UNCHANGED, Exit, Target
from shared.trading.ids import execution_id
from shared.trading.sides import Side, StopType, StrategySource, TriggerAction
from shared.trading.signal import Signal
from shared.trading.updates import NOTHING, Update
from tests import builders
from tests.unit.admin_requests import Answer, fault, sample, send, with_body
from tests.unit.in_process_aws import Queues
from tests.unit.records import STRATEGY_ID, a_follower, a_strategy, id_of

FIRST, SECOND = "af42792c-b48e-4322-9716-07050cec48c8", "9bfa5701-735f-4836-876d-f489630c0acc"
HALF = {"type": "reduce", "keep": 50}
TO_BREAKEVEN = {"type": "update", "stop": "breakeven"}
SHARE = "must be greater than 0 and less than 100"
STOP = "must be greater than 0 or breakeven"


@pytest.fixture
def followed(admin_api: Queues) -> Queues:
    """Two followers of one strategy; no exchange is asked."""
    a_strategy()
    for follower_id in (FIRST, SECOND):
        a_follower(follower_id, id=follower_id)
    return admin_api


def order(body: dict[str, Any] | str, *, key: str | None = None) -> Answer:
    event = sample("admin_strategy_follower/new_orders")
    if key is not None:
        event["headers"]["idempotency-key"] = key
    return send(lambda_handler, with_body(event, body))


def triggers() -> list[Trigger]:
    return [Trigger.get(found.id) for found in Trigger.by_strategy.query(STRATEGY_ID)]


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        (HALF, Exit(TriggerAction.REDUCE, keep_share=Decimal("0.5"))),
        ({"type": " Reduce ", "keep": "12.5"}, Exit(TriggerAction.REDUCE, keep_share=Decimal("0.125"))),
        (TO_BREAKEVEN, Exit(TriggerAction.UPDATE, update=Update(breakeven=True))),
        ({"type": "UPDATE", "stop": 19250.5}, Exit(TriggerAction.UPDATE, update=Update(stop=Decimal("19250.5")))),
        ({"type": "update", "breakevenAfter": 2}, Exit(TriggerAction.UPDATE, update=Update(breakeven_after=2))),
        (
            {"type": "update", "stop": "breakeven", "takeProfit": 19500, "takeProfitPrice1": "19400"},
            Exit(TriggerAction.UPDATE, update=Update(breakeven=True, take_profits=(Decimal(19400), Decimal(19500)))),
        ),
    ],
)
def test_exit_is_stored_and_queued_as_an_admins(followed: Queues, body: dict[str, Any], asked: Exit) -> None:
    answer = order(body)
    (trigger,) = triggers()
    item = {"id": execution_id(trigger.id, FIRST), "strategyFollowId": FIRST, "status": "QUEUED"}
    assert (answer.status, answer.body) == (200, {"triggerId": trigger.id, "items": [item]})
    assert (trigger.exit, trigger.strategy_source) == (asked, StrategySource.ADMIN)
    assert trigger.follower_ids == [FIRST]
    (message,) = followed.taken_from(followed.triggers)
    assert message["Attributes"]["MessageDeduplicationId"] == trigger.id
    shown = trigger_item(trigger, {"items": []})
    assert (shown["strategySource"], shown["action"]) == ("ADMIN", asked.action)


def test_exit_is_for_those_listed_too_or_for_every_follower(followed: Queues) -> None:
    listed = order(HALF | {"strategyFollowIds": [SECOND, SECOND]})
    assert [item["strategyFollowId"] for item in listed.body["items"]] == [FIRST, SECOND]
    everyone = order(HALF | {"allFollowers": True})
    assert everyone.body["items"] == []
    first, second = triggers()
    assert first.follower_ids == [FIRST, SECOND]
    assert second.follower_ids is None
    assert everyone.body["triggerId"] == second.id


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({"type": "reduce"}, [fault(SHARE, "keep", "body")]),
        ({"type": "reduce", "keep": 0}, [fault(SHARE, "keep", "body", value=0)]),
        ({"type": "reduce", "keep": 100}, [fault(SHARE, "keep", "body", value=100)]),
        ({"type": "reduce", "keep": True}, [fault(SHARE, "keep", "body", value=True)]),
        ({"type": "reduce", "keep": [50]}, [fault(SHARE, "keep", "body", value=[50])]),
        (HALF | {"stop": 19250}, [fault("unknown field", "stop", "body")]),
        (HALF | {"positionSize": 2}, [fault("unknown field", "positionSize", "body")]),
        (HALF | {"position": "flat"}, [fault("unknown field", "position", "body")]),
        ({"type": "update"}, [fault("must include stop, takeProfit or breakevenAfter", "stop", "body")]),
        ({"type": "update", "stop": "entry"}, [fault(STOP, "stop", "body", value="entry")]),
        ({"type": "update", "stop": 0}, [fault(STOP, "stop", "body", value=0)]),
        (
            {"type": "update", "takeProfit2": -1},
            [fault("must be greater than 0", "takeProfit2", "body", value=-1)],
        ),
        (
            {"type": "update", "breakevenAfter": 5},
            [fault("must be integer from 1 to 4", "breakevenAfter", "body", value=5)],
        ),
        (
            {"type": "update", "stop": 19450, "takeProfit1": 19400, "takeProfit2": 19500},
            [fault("must be on one side of every takeProfit", "stop", "body", value=19450)],
        ),
        (TO_BREAKEVEN | {"keep": 50}, [fault("unknown field", "keep", "body")]),
        ({"type": "close"}, [fault("must be reduce or update", "type", "body", value="close")]),
        ({"type": "buy", "side": "BUY"}, [fault("must be reduce or update", "type", "body", value="buy")]),
        ({"type": None, "keep": 50}, [fault("must be reduce or update", "type", "body")]),
        (HALF | {"allFollowers": "yes"}, [fault("must be boolean", "allFollowers", "body", value="yes")]),
        (
            HALF | {"allFollowers": True, "strategyFollowIds": [SECOND]},
            [fault("must not use with allFollowers", "strategyFollowIds", "body", value=[SECOND])],
        ),
        (
            HALF | {"strategyFollowIds": [SECOND, id_of("nobody")]},
            [fault("must be follower of the same strategy", "strategyFollowIds[1]", "body", value=id_of("nobody"))],
        ),
        (
            {"type": "reduce", "keep": 0, "strategyFollowIds": ["x"], "size": 1},
            [
                fault(SHARE, "keep", "body", value=0),
                fault("must be UUID", "strategyFollowIds[0]", "body", value="x"),
                fault("unknown field", "size", "body"),
            ],
        ),
    ],
)
@pytest.mark.usefixtures("followed")
def test_wrong_exit_is_refused_with_every_fault(body: dict[str, Any], faults: list[dict[str, Any]]) -> None:
    answer = order(body)
    assert (answer.status, answer.body) == (422, {"errors": faults})
    assert triggers() == []


@pytest.mark.usefixtures("followed")
def test_fault_of_the_key_comes_before_those_of_the_exit() -> None:
    for body in (HALF | {"keep": 0}, {"type": "close"}):
        answer = order(body, key=" ")
        key_fault, _ = answer.body["errors"]
        assert (key_fault["param"], key_fault["location"]) == ("Idempotency-Key", "headers")


def test_documented_messages_of_the_fields_are_those_of_the_alerts_reader() -> None:
    wrong = {"keep": 0, "stop": 0, "takeProfit": 0, "takeProfitPrice3": 0, "breakevenAfter": 9}
    for model, kind in ((ReduceOrder, "reduce"), (UpdateOrder, "update")):
        for name in wrong.keys() & model.fault_messages.keys():
            event = with_body(sample("admin_strategy_follower/new_orders"), {"type": kind, name: wrong[name]})
            found = read_exit(event, faults=[])
            assert found is not None
            assert [(one["param"], one["msg"]) for one in found.faults] == [(name, model.fault_messages[name].text)]


def test_repeat_under_a_key_gets_the_first_answer_and_another_body_a_fault(
    followed: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = order(HALF, key="exit-1")
    requeued: list[str] = []
    monkeypatch.setattr(ordering, "requeue_if_pending", requeued.append)
    again = order({"type": "REDUCE", "keep": "50.0"}, key="exit-1")
    assert (again.status, again.body) == (200, first.body)
    assert requeued == [first.body["triggerId"]]
    for other in (HALF | {"keep": 40}, HALF | {"allFollowers": True}, TO_BREAKEVEN):
        refused = order(other, key="exit-1")
        assert [one["msg"] for one in refused.body["errors"]] == ["must not be used with another body"]
    assert len(triggers()) == 1


@pytest.mark.usefixtures("followed")
def test_text_that_is_no_json_is_refused_as_before() -> None:
    answer = order('{"type": "update", "stop": NaN}')
    assert (answer.status, answer.body) == (400, {"message": "request body must be JSON"})


# -- place in time, and entries that are on their way ----------------------------------------------------------------

BUY = Signal(
    side=Side.BUY,
    order_price=Decimal(20000),
    stop=Decimal(19800),
    stop_type=StopType.MARKET,
    take_profits=(Decimal(20200),),
)
NEWER = replace(BUY, stop=Decimal(19700))
REDUCTION = Exit(TriggerAction.REDUCE, keep_share=Decimal("0.5"))
UPDATE = Exit(TriggerAction.UPDATE, update=Update(stop=Decimal(19900)))


def alerts() -> StrategyAlerts:
    return StrategyAlerts.get(STRATEGY_ID)


def bought(**fired: Any) -> Trigger:
    """Return the trigger of an entry alert."""
    strategy = Strategy.get(STRATEGY_ID)
    accepted = accept_alert(strategy, BUY, alerts=StrategyAlerts.find(STRATEGY_ID), received_at=utc_now(), **fired)
    return Trigger.get(accepted.trigger_id)


def by_admin(asked: Exit, follower_ids: list[str] | None) -> Trigger:
    return accept_admin_order(Strategy.get(STRATEGY_ID), asked, follower_ids=follower_ids, received_at=utc_now())


def context_of(entry: Trigger, follower_id: str) -> admission.EntryContext:
    follower = a_follower(follower_id, id=follower_id)
    execution: Execution = builders.execution(entry, follower)
    return admission.read_context(execution, lane="lane-1")


def test_exit_means_what_was_accepted_before_it_in_its_second_and_nothing_later(followed: Queues) -> None:
    at = utc_now().replace(microsecond=0)
    strategy = Strategy.get(STRATEGY_ID)
    accepted = accept_alert(strategy, BUY, alerts=None, received_at=at)
    asked = accept_admin_order(strategy, REDUCTION, follower_ids=[FIRST], received_at=at + timedelta(milliseconds=900))
    later = accept_alert(strategy, NEWER, alerts=alerts(), received_at=at + timedelta(milliseconds=950))
    assert Trigger.get(accepted.trigger_id).place < asked.place < Trigger.get(later.trigger_id).place


def test_exit_supersedes_no_alert_and_is_no_first_delivery_of_one(followed: Queues) -> None:
    entry = bought(fired_at=utc_now() - timedelta(seconds=5))
    before = alerts()
    by_admin(REDUCTION, None)
    after = alerts()
    assert after.latest_alert_place == before.latest_alert_place == entry.place
    assert (after.last_received_at, after.last_seq) == (before.last_received_at, before.last_seq + 1)
    repeated = accept_alert(Strategy.get(STRATEGY_ID), REDUCTION, alerts=after, received_at=utc_now())
    assert not repeated.repeated


def test_pending_entry_of_a_named_follower_is_reduced_and_no_other(followed: Queues) -> None:
    entry = bought(fired_at=utc_now() - timedelta(seconds=5))
    by_admin(REDUCTION, [FIRST])
    by_admin(UPDATE, [FIRST])
    named, other = context_of(entry, FIRST), context_of(entry, SECOND)
    assert (named.target, named.requested.stop) == (Target(Decimal("0.5")), Decimal(19900))
    assert (other.target, other.requested) == (UNCHANGED, NOTHING)


def test_pending_entries_of_all_are_reduced_by_an_exit_for_all(followed: Queues) -> None:
    entry = bought(fired_at=utc_now() - timedelta(seconds=5))
    by_admin(REDUCTION, None)
    assert [context_of(entry, one).target for one in (FIRST, SECOND)] == [Target(Decimal("0.5"))] * 2


def test_newer_alert_forgets_an_admins_exit(followed: Queues) -> None:
    bought(fired_at=utc_now() - timedelta(seconds=5))
    by_admin(REDUCTION, [FIRST])
    assert json.dumps(alerts().recent_exits).count("for_some") == 1
    later = utc_now() + timedelta(seconds=2)
    accept_alert(Strategy.get(STRATEGY_ID), NEWER, alerts=alerts(), received_at=later)
    assert alerts().recent_exits is None
