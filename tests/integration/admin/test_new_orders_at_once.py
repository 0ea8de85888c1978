from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import pytest

from functions.admin_strategy_follower.ordering import place_orders
from functions.admin_strategy_follower.schemas import NewOrders, QueuedItems
from shared.api.idempotency import IdempotentRequest
from shared.exchange import account_queries
from shared.trading.ids import execution_id
from tests.integration.admin.at_once import Fault, all_at_once
from tests.integration.embedded_aws import EmbeddedAws
from tests.integration.road.following import Following, store_strategy

AT_ONCE = 8
ANOTHER_BODY: list[Fault] = [("Idempotency-Key", "must not be used with another body")]


@pytest.fixture
def followed(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Following:
    monkeypatch.setattr(account_queries, "market_price", lambda **_: Decimal(20000))
    return store_strategy(2)


def order_of(followed: Following, key: str | None = None, *, step: int = 0) -> Callable[[int], QueuedItems]:
    """Return a function that sends an order under the key; its stop differs from call to call by `step`."""
    follower, other = followed.followers

    def order(number: int) -> QueuedItems:
        wanted = NewOrders.model_validate(
            {
                "side": "BUY",
                "stopType": "MARKET",
                "stopPrice": 19900 - step * number,
                "takeProfitPrices": [20100],
                "strategyFollowIds": [other.id],
            }
        )
        if key is None:
            return place_orders(follower, wanted, repeatable=None)
        repeatable = IdempotentRequest.of(key, caller_id="admin", path=follower.id, content=wanted.content())
        return place_orders(follower, wanted, repeatable=repeatable)

    return order


def test_one_key_eight_times_at_once_is_one_order_and_one_answer(aws: EmbeddedAws, followed: Following) -> None:
    answers = all_at_once(order_of(followed, str(uuid4())), times=AT_ONCE)
    (trigger,) = followed.triggers()
    items = {(execution_id(trigger.id, one.id), one.id) for one in followed.followers}
    first = answers[0]
    assert isinstance(first, dict)
    assert {(item["id"], item["strategyFollowId"]) for item in first["items"]} == items
    assert answers == [first] * AT_ONCE
    assert [message["trigger_id"] for message in aws.taken_from(aws.triggers)] == [trigger.id]


def test_one_key_with_other_bodies_at_once_is_one_order_and_faults(followed: Following) -> None:
    answers = all_at_once(order_of(followed, str(uuid4()), step=1), times=AT_ONCE)
    assert len([answer for answer in answers if isinstance(answer, dict)]) == 1
    assert answers.count(ANOTHER_BODY) == AT_ONCE - 1
    assert len(followed.triggers()) == 1


def test_orders_without_a_key_at_once_are_all_placed(followed: Following) -> None:
    answers = all_at_once(order_of(followed), times=AT_ONCE)
    assert all(isinstance(answer, dict) for answer in answers)
    assert [trigger.seq for trigger in followed.triggers()] == list(range(1, AT_ONCE + 1))
