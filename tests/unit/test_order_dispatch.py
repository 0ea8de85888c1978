"""Work goes to the queue of the lane that takes it, by what the lanes' records say at that moment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pynamodb.exceptions import GetError

from shared import order_dispatch
from shared.clock import utc_now
from shared.exchange import weights
from shared.messages import Command
from shared.models.egress_lane import EgressLane
from shared.models.execution import Execution
from shared.models.trading_switch import TradingSwitch, lane_scope
from shared.order_dispatch import LaneWithoutQueue, free_elsewhere_in_s, read_routes, send_orders
from shared.trading.execution import ExecutionState
from tests import builders
from tests.unit.in_process_aws import Queues, aws_client

NAMED = ["lane-1", "lane-2"]
BAN = timedelta(minutes=2)


@pytest.fixture
def second_queue(tables: Queues) -> str:
    created = aws_client("sqs").create_queue(QueueName="lane-2-orders.fifo", Attributes={"FifoQueue": "true"})
    url: str = created["QueueUrl"]
    EgressLane("lane-2", orders_queue_url=url).save()
    return url


def a_position(execution_id: str = "e", **values: Any) -> Execution:
    usual: dict[str, Any] = {"state": ExecutionState.PROTECTED, "egress_lane": "lane-2", "egress_lanes": NAMED}
    return builders.execution(builders.trigger(), builders.follower(), **(usual | {"id": execution_id} | values))


def ban(lane: str, until: timedelta = BAN) -> None:
    EgressLane.ban(lane, until=utc_now() + until)


def sent(queues: Queues, url: str) -> list[str]:
    return [body["execution_id"] for body in queues.sent_to(url)]


def test_work_goes_to_the_queue_of_the_positions_lane(tables: Queues, second_queue: str) -> None:
    send_orders([a_position("a"), a_position("b", egress_lane="lane-1")], Command.CLOSE, delivery="1")

    assert (sent(tables, tables.orders), sent(tables, second_queue)) == (["b"], ["a"])


def test_exits_of_a_banned_lane_leave_by_another(tables: Queues, second_queue: str) -> None:
    ban("lane-2")

    send_orders([a_position("a"), a_position("b", egress_lane="lane-1")], Command.CLOSE, delivery="1")

    assert (sent(tables, tables.orders), sent(tables, second_queue)) == (["a", "b"], [])


def test_lane_whose_ban_is_over_takes_its_work_again(tables: Queues, second_queue: str) -> None:
    ban("lane-2", -timedelta(seconds=1))

    send_orders([a_position("a")], Command.RECONCILE, delivery="1")

    assert sent(tables, second_queue) == ["a"]


def test_work_leaves_a_halted_lane(tables: Queues, second_queue: str) -> None:
    TradingSwitch.halt(lane_scope("lane-2"), reason="being emptied")

    send_orders([a_position("a")], Command.RECONCILE, delivery="1")

    assert sent(tables, tables.orders) == ["a"]


def test_lane_that_was_removed_takes_no_work(tables: Queues, second_queue: str) -> None:
    EgressLane("lane-2").update(actions=[EgressLane.orders_queue_url.remove()])

    send_orders([a_position("a")], Command.RECONCILE, delivery="1")

    assert sent(tables, tables.orders) == ["a"]


@pytest.mark.parametrize("single", ["lane-1", "lane-2"])
def test_executions_of_before_there_were_lists_go_by_their_single_lane(
    tables: Queues, second_queue: str, single: str
) -> None:
    send_orders([a_position("a", egress_lane=single, egress_lanes=None)], Command.RECONCILE, delivery="1")

    assert sent(tables, {"lane-1": tables.orders, "lane-2": second_queue}[single]) == ["a"]


def test_entry_that_has_waited_goes_where_there_is_weight(tables: Queues, second_queue: str) -> None:
    EgressLane("lane-2").update(actions=[EgressLane.weight_limit.set(weights.ENTRY_HOLD)])

    waiting = a_position("a", state=ExecutionState.QUEUED)
    send_orders([waiting], Command.RECONCILE, delivery="1")

    assert sent(tables, tables.orders) == ["a"]


def test_exits_go_to_the_first_lane_when_the_lanes_cannot_be_read(
    tables: Queues, second_queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise GetError("throttled")

    monkeypatch.setattr(order_dispatch, "read_together", fail)

    send_orders([a_position("a")], Command.CLOSE, delivery="1")

    assert sent(tables, tables.orders) == ["a"]


def test_what_one_lane_does_not_accept_holds_nothing_back_from_the_others(tables: Queues, second_queue: str) -> None:
    aws_client("sqs").delete_queue(QueueUrl=second_queue)

    with pytest.raises(Exception, match="NonExistentQueue"):
        send_orders([a_position("a"), a_position("b", egress_lane="lane-1")], Command.CLOSE, delivery="1")

    assert sent(tables, tables.orders) == ["b"]


def test_lane_of_unknown_queue_is_a_fault(tables: Queues) -> None:
    with pytest.raises(LaneWithoutQueue):
        read_routes([NAMED]).send_messages([], lane="lane-9", delivery="1")


def test_how_soon_another_lane_is_free(tables: Queues, second_queue: str) -> None:
    def in_s(*, for_entry: bool = False, named: list[str] = NAMED) -> float:
        return free_elsewhere_in_s("lane-1", named, for_entry=for_entry)

    assert in_s(named=["lane-1"]) == float("inf")
    assert (in_s(), in_s(for_entry=True)) == (0, 0)

    EgressLane.pause("lane-2", until=utc_now() + BAN)
    assert (in_s(), in_s(for_entry=True)) == (0, float("inf"))

    ban("lane-2")
    assert 118 < in_s() <= 120
