from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.admin_strategy_follower import ordering
from functions.admin_strategy_follower.app import lambda_handler
from shared.clock import utc_now
from shared.errors import ExchangeRejected, OutcomeUnknown
from shared.exchange import account_queries
from shared.models.idempotency_key import IdempotencyKey
from shared.models.trigger import FanoutState, Trigger
from shared.trading.ids import execution_id
from shared.trading.sides import Side, StopType, StrategySource
from tests.unit.admin_requests import Answer, fault, sample, send, with_body
from tests.unit.in_process_aws import Queues
from tests.unit.records import STRATEGY_ID, a_follower, a_strategy, id_of

FIRST, SECOND = "af42792c-b48e-4322-9716-07050cec48c8", "9bfa5701-735f-4836-876d-f489630c0acc"
DOCUMENTED = {
    "side": "BUY",
    "stopType": "MARKET",
    "stopPrice": 19350,
    "takeProfitPrices": [19500, 19550, 19600, 19650],
    "strategyFollowIds": [FIRST, SECOND],
}


@dataclass
class Market:
    """The exchange as this function sees it: a price, or an error."""

    price: Decimal = Decimal("19400.5")
    error: Exception | None = None
    requested: list[str] = field(default_factory=list)

    def market_price(self, *, exchange_id: str, symbol: str) -> Decimal:
        self.requested.append(symbol)
        if self.error is not None:
            raise self.error
        return self.price


@pytest.fixture
def market(monkeypatch: pytest.MonkeyPatch) -> Market:
    market = Market()
    monkeypatch.setattr(account_queries, "market_price", market.market_price)
    return market


@pytest.fixture
def followed(admin_api: Queues, market: Market) -> Queues:
    """Two followers of one strategy, as in the documentation."""
    a_strategy()
    for follower_id in (FIRST, SECOND):
        a_follower(follower_id, id=follower_id)
    return admin_api


def order(*, key: str | None = None, path: tuple[str, str] | None = None, **changes: Any) -> Answer:
    event = sample("admin_strategy_follower/new_orders", path=path)
    if key is not None:
        event["headers"]["idempotency-key"] = key
    body = {name: value for name, value in (DOCUMENTED | changes).items() if value is not None}
    return send(lambda_handler, with_body(event, body))


def triggers() -> list[Trigger]:
    return [Trigger.get(found.id) for found in Trigger.by_strategy.query(STRATEGY_ID)]


def test_documented_request_is_queued_for_each_follower_once(followed: Queues, market: Market) -> None:
    answer = send(lambda_handler, sample("admin_strategy_follower/new_orders"))
    assert answer.status == 200
    (trigger,) = triggers()
    assert answer.body == {
        "items": [
            {"id": execution_id(trigger.id, follower_id), "strategyFollowId": follower_id, "status": "QUEUED"}
            for follower_id in (FIRST, SECOND)
        ]
    }
    assert (trigger.strategy_source, trigger.side, trigger.stop_type) == (
        StrategySource.ADMIN,
        Side.BUY,
        StopType.MARKET,
    )
    assert (trigger.price, trigger.stop, trigger.seq) == (market.price, Decimal(19350), 1)
    assert trigger.take_profits == [19500, 19550, 19600, 19650]
    assert trigger.follower_ids == [FIRST, SECOND]
    assert market.requested == ["BTC/USDT"]
    (message,) = followed.taken_from(followed.triggers)
    assert message["Attributes"]["MessageDeduplicationId"] == trigger.id
    assert message["Attributes"]["MessageGroupId"] == STRATEGY_ID


def test_list_of_followers_may_be_left_out(followed: Queues) -> None:
    assert [item["strategyFollowId"] for item in order(strategyFollowIds=None).body["items"]] == [FIRST]
    assert triggers()[0].follower_ids == [FIRST]


def test_follower_of_the_path_trades_though_only_others_are_listed(followed: Queues) -> None:
    answer = order(strategyFollowIds=[SECOND.upper(), SECOND])
    assert [item["strategyFollowId"] for item in answer.body["items"]] == [FIRST, SECOND]


@pytest.mark.parametrize(("side", "stop_type"), [("buy", "market"), ("Buy", "Limit"), ("BUY", "LIMIT")])
def test_words_are_taken_in_any_case(followed: Queues, side: str, stop_type: str) -> None:
    assert order(side=side, stopType=stop_type).status == 200
    assert (triggers()[0].side, triggers()[0].stop_type) == (Side.BUY, StopType(stop_type.upper()))


def test_sell_has_its_stop_above_the_market(followed: Queues) -> None:
    assert order(side="sell", stopPrice=19450.5, takeProfitPrices=[19300]).status == 200
    assert (triggers()[0].side, triggers()[0].stop) == (Side.SELL, Decimal("19450.5"))


def test_inactive_strategy_is_queued_too_for_the_executor_decides(followed: Queues) -> None:
    a_strategy(active=False)
    assert order().status == 200


def test_empty_body_names_every_required_field_in_the_documented_order(followed: Queues) -> None:
    answer = send(lambda_handler, sample("admin_strategy_follower/new_orders_empty_body"))
    assert answer.status == 422
    assert answer.body == {
        "errors": [
            fault("must be supported trade side", "side", "body"),
            fault("must be supported order type", "stopType", "body"),
            fault("must be greater than 0", "stopPrice", "body"),
            fault("must include at least one takeProfit, at most 4", "takeProfitPrices", "body"),
        ]
    }


@pytest.mark.parametrize(
    ("field_name", "value", "message", "param", "wrong"),
    [
        ("side", "HOLD", "must be supported trade side", "side", "HOLD"),
        ("side", 1, "must be supported trade side", "side", 1),
        ("stopType", "TRAILING", "must be supported order type", "stopType", "TRAILING"),
        ("stopPrice", 0, "must be greater than 0", "stopPrice", 0),
        ("stopPrice", -1.5, "must be greater than 0", "stopPrice", Decimal("-1.5")),
        ("stopPrice", "19350", "must be greater than 0", "stopPrice", "19350"),
        ("stopPrice", True, "must be greater than 0", "stopPrice", True),
        ("stopPrice", 10**13, "must be at most 1000000000000", "stopPrice", 10**13),
        ("side", "\u017fell", "must be supported trade side", "side", "\u017fell"),
        ("stopType", "l\u0131mit", "must be supported order type", "stopType", "l\u0131mit"),
        ("takeProfitPrices", [], "must include at least one takeProfit, at most 4", "takeProfitPrices", []),
        ("takeProfitPrices", 5, "must include at least one takeProfit, at most 4", "takeProfitPrices", 5),
        (
            "takeProfitPrices",
            [19500] * 5,
            "must include at least one takeProfit, at most 4",
            "takeProfitPrices",
            [19500] * 5,
        ),
        ("takeProfitPrices", [19500, 0], "must be greater than 0", "takeProfitPrices[1]", 0),
        (
            "strategyFollowIds",
            FIRST,
            "must be list of at most 500 strategy follower IDs",
            "strategyFollowIds",
            FIRST,
        ),
        ("strategyFollowIds", [FIRST, "x"], "must be UUID", "strategyFollowIds[1]", "x"),
    ],
)
@pytest.mark.usefixtures("followed")
def test_wrong_fields_are_named(field_name: str, value: Any, message: str, param: str, wrong: Any) -> None:
    answer = order(**{field_name: value})
    assert answer.status == 422
    assert answer.body == {"errors": [fault(message, param, "body", value=wrong)]}
    assert triggers() == []


@pytest.mark.usefixtures("followed")
def test_unknown_field_is_named_without_its_value() -> None:
    answer = order(size=1)
    assert (answer.status, answer.body) == (422, {"errors": [fault("unknown field", "size", "body")]})
    assert triggers() == []


def test_every_wrong_price_and_follower_is_named_and_nothing_happens(followed: Queues) -> None:
    stranger = a_follower("elsewhere", strategy_id=id_of("another strategy")).id
    unknown = id_of("nobody")
    answer = order(
        stopPrice=19400.5, takeProfitPrices=[19500, 19400.5, 19300], strategyFollowIds=[SECOND, stranger, unknown]
    )
    assert answer.status == 422
    greater = "must be greater than market price"
    same = "must be follower of the same strategy"
    assert answer.body == {
        "errors": [
            fault("must be less than market price", "stopPrice", "body", value=Decimal("19400.5")),
            fault(greater, "takeProfitPrices[1]", "body", value=Decimal("19400.5")),
            fault(greater, "takeProfitPrices[2]", "body", value=19300),
            fault(same, "strategyFollowIds[1]", "body", value=stranger),
            fault(same, "strategyFollowIds[2]", "body", value=unknown),
        ]
    }
    assert triggers() == []
    assert followed.sent_to(followed.triggers) == []


@pytest.mark.parametrize("error", [OutcomeUnknown("timed out"), ExchangeRejected(code=-1121)], ids=repr)
def test_market_that_cannot_be_read_answers_503(followed: Queues, market: Market, error: Exception) -> None:
    market.error = error
    answer = order()
    assert (answer.status, answer.body) == (503, {"message": "exchange cannot be reached"})
    assert triggers() == []


def test_unknown_follower_is_not_found_before_the_body_is_read(followed: Queues) -> None:
    event = sample("admin_strategy_follower/new_orders", path=(FIRST, id_of("nobody")))
    answer = send(lambda_handler, with_body(event, "{"))
    assert (answer.status, answer.body) == (404, {"message": "route not found"})


def test_repeat_under_a_key_gets_the_first_answer(followed: Queues, market: Market) -> None:
    first = order(key="order-1")
    # The market has left the prices behind meanwhile; the spelling is another.
    market.price = Decimal(30000)
    again = order(key="order-1", side="buy", stopPrice=19350.0)
    assert (again.status, again.body) == (200, first.body)
    assert len(triggers()) == 1
    assert order(key="order-1", stopPrice=19350).text == first.text


def test_repeat_queues_a_trigger_whose_first_request_crashed_before_queueing_it(
    followed: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    order(key="order-1")
    followed.sent_to(followed.triggers)
    queued: list[str] = []
    monkeypatch.setattr(ordering, "requeue_if_pending", queued.append)
    order(key="order-1")
    (trigger,) = triggers()
    assert trigger.fanout_state is FanoutState.PENDING
    assert queued == [trigger.id]


def test_another_body_under_the_same_key_is_a_fault(followed: Queues) -> None:
    order(key="order-1")
    answer = order(key="order-1", stopPrice=19351)
    assert answer.status == 422
    expected = fault("must not be used with another body", "Idempotency-Key", "headers", value="order-1")
    assert answer.body == {"errors": [expected]}
    assert len(triggers()) == 1


def test_key_counts_for_one_path_and_one_admin(followed: Queues) -> None:
    order(key="order-1")
    assert order(key="order-1", path=(FIRST, SECOND)).status == 200
    event = with_body(sample("admin_strategy_follower/new_orders_with_idempotency_key"), DOCUMENTED)
    event["headers"]["Idempotency-Key"] = "order-1"
    event["requestContext"]["authorizer"]["claims"]["sub"] = id_of("another admin")
    assert send(lambda_handler, event).status == 200
    assert len(triggers()) == 3


def test_key_counts_for_24_hours(followed: Queues) -> None:
    order(key="order-1")
    (known,) = list(IdempotencyKey.scan())
    kept_s = known.expires_at - int(known.created_at.timestamp())
    assert timedelta(seconds=kept_s) == timedelta(hours=24)
    known.update(actions=[IdempotencyKey.expires_at.set(int(utc_now().timestamp()))])
    assert order(key="order-1", stopPrice=19351).status == 200
    assert len(triggers()) == 2


def test_without_a_key_the_same_request_is_another_order(followed: Queues) -> None:
    assert order().body != order().body
    assert len(triggers()) == 2


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "schlüssel"])
def test_key_that_is_none_is_named_before_the_bodys_faults(followed: Queues, key: str) -> None:
    answer = order(key=key, side="HOLD")
    assert answer.status == 422
    assert [(one["param"], one["location"]) for one in answer.body["errors"]] == [
        ("Idempotency-Key", "headers"),
        ("side", "body"),
    ]


def test_refused_order_leaves_its_key_free(followed: Queues) -> None:
    assert order(key="order-1", stopPrice=19450).status == 422
    assert order(key="order-1").status == 200
