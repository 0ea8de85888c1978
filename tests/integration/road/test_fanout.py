"""The fan-out on real transactions and queues: complete, once, and whole again after being killed anywhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from functions.trigger_fanout import service
from functions.trigger_fanout.service import fan_out
from shared import messages
from shared.acceptance import accept_admin_order
from shared.clock import utc_now
from shared.errors import RecordChanged
from shared.messages import MessageNotSent, TriggerMessage
from shared.models import base
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.trigger import FanoutState, Trigger, end_trigger_if_finished
from shared.models.trigger_count import Totals, TriggerCount
from shared.scheduling import DEAD_MAN_DELAYS_S
from shared.trading.execution import DenialReason, ExecutionState
from shared.worker import run_async
from tests.integration.embedded_aws import EmbeddedAws, sqs_client
from tests.integration.road.following import BUY, Following

Strategies = Callable[[int], Following]


class Killed(BaseException):
    """The worker is killed here: nothing in the product may catch this."""


def fire(subject: Following) -> str:
    return subject.accept(BUY).trigger_id


def deliver(subject: Following, trigger_id: str, *, delivery: str = "1") -> None:
    run_async(fan_out(TriggerMessage(trigger_id=trigger_id, strategy_id=subject.strategy.id), delivery=delivery))


def sent(aws: EmbeddedAws) -> Counter[str]:
    return Counter(message["execution_id"] for message in aws.taken_from(aws.orders))


def delayed_dead_man_messages(aws: EmbeddedAws) -> int:
    wanted = "ApproximateNumberOfMessagesDelayed"
    found = sqs_client(aws.url).get_queue_attributes(QueueUrl=aws.reconcile, AttributeNames=[wanted])
    return int(found["Attributes"][wanted])


def check_complete(subject: Following, trigger_id: str) -> None:
    """Every follower has one execution, all are counted, the fan-out is done."""
    assert len(subject.executions(trigger_id)) == len(subject.followers)
    assert TriggerCount.total_active(trigger_id) == len(subject.followers)
    trigger = Trigger.get(trigger_id)
    assert trigger.fanout_state is FanoutState.DONE
    assert trigger.pending is None
    assert trigger.active


def test_every_follower_over_several_pages_gets_one_execution_and_one_message(
    aws: EmbeddedAws, following: Strategies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE_SIZE", 30)
    subject = following(75)
    trigger_id = fire(subject)
    deliver(subject, trigger_id)
    check_complete(subject, trigger_id)
    assert sent(aws) == Counter([execution.id for execution in subject.executions(trigger_id)])
    assert Trigger.get(trigger_id).fanout_checkpoint == subject.followers[-1].created_key


def test_those_whom_the_last_alert_left_out_are_sent_first(
    aws: EmbeddedAws, following: Strategies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE_SIZE", 30)
    subject = following(75)
    first = fire(subject)
    deliver(subject, first)
    executions = subject.executions(first)
    left_out = executions[40:60]

    def end(execution: Execution) -> None:
        reason = DenialReason.WEIGHT_EXHAUSTED if execution in left_out else DenialReason.STALE
        execution.change(state=ExecutionState.DENIED, reason=reason)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(end, executions))
    assert TriggerCount.totals(first) == Totals(total=75, left_out=20)
    aws.taken_from(aws.orders)

    second = subject.accept(BUY, received_at=utc_now() + timedelta(seconds=60)).trigger_id
    deliver(subject, second)

    check_complete(subject, second)
    names = {execution.id: execution.follower_id for execution in subject.executions(second)}
    order = [names[message["execution_id"]] for message in aws.taken_from(aws.orders)]
    assert len(order) == len(set(order)) == 75
    assert set(order[:20]) == {execution.follower_id for execution in left_out}
    assert set(order[20:40]) <= {follower.id for follower in subject.followers[10:40]}
    assert Trigger.get(second).fanout_start == subject.followers[10].created_key


@pytest.mark.parametrize("followers", [30, 31, 60])
def test_fan_out_ends_when_its_last_page_is_full(
    aws: EmbeddedAws, following: Strategies, monkeypatch: pytest.MonkeyPatch, followers: int
) -> None:
    monkeypatch.setattr(service, "PAGE_SIZE", 30)
    subject = following(followers)
    trigger_id = fire(subject)
    deliver(subject, trigger_id)
    check_complete(subject, trigger_id)
    assert len(sent(aws)) == followers


def test_messages_go_in_the_group_of_the_exchange_key(aws: EmbeddedAws, following: Strategies) -> None:
    subject = following(3)
    trigger_id = fire(subject)
    deliver(subject, trigger_id)
    taken = aws.taken_from(aws.orders)
    assert {(message["group"], message["command"], message["symbol"]) for message in taken} == {
        (follower.api_key_id, "OPEN", "BTC/USDT") for follower in subject.followers
    }


def test_trigger_and_each_execution_get_a_dead_man_message_before_any_work(
    aws: EmbeddedAws, following: Strategies
) -> None:
    subject = following(12)
    trigger_id = fire(subject)
    assert delayed_dead_man_messages(aws) == len(DEAD_MAN_DELAYS_S)
    deliver(subject, trigger_id)
    check_of_reach = 1
    assert delayed_dead_man_messages(aws) == len(DEAD_MAN_DELAYS_S) * (1 + len(subject.followers)) + check_of_reach
    due_first = {execution.due_at - execution.created_at for execution in subject.executions(trigger_id)}
    assert due_first == {timedelta(seconds=DEAD_MAN_DELAYS_S[0])}


def test_executions_that_a_killed_fan_out_wrote_and_did_not_send_are_sent_once(
    aws: EmbeddedAws, following: Strategies, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = following(60)
    trigger_id = fire(subject)
    usual = messages.send_orders
    calls: list[int] = []

    def send_or_crash(orders: Any, **options: Any) -> None:
        calls.append(len(orders))
        if len(calls) > 1:
            raise Killed
        usual(orders, **options)

    with monkeypatch.context() as crashing:
        crashing.setattr(messages, "send_orders", send_or_crash)
        with pytest.raises(Killed):
            deliver(subject, trigger_id)
    wait_until(lambda: len(subject.executions(trigger_id)) == len(subject.followers))
    first = sent(aws)
    assert 0 < len(first) < len(subject.followers)
    assert Trigger.get(trigger_id).fanout_state is FanoutState.PENDING

    deliver(subject, trigger_id, delivery="2")
    check_complete(subject, trigger_id)
    # All are still QUEUED, so all are sent again, those of the first time too: the executor sees one execution twice.
    assert sent(aws) == Counter([execution.id for execution in subject.executions(trigger_id)])


def test_killed_between_two_parts_of_a_page(
    aws: EmbeddedAws, following: Strategies, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = following(60)
    trigger_id = fire(subject)
    usual = base.transact
    calls: list[Any] = []

    def write_or_crash(build: Any) -> None:
        calls.append(build)
        if len(calls) == 2:
            raise Killed
        usual(build)

    with monkeypatch.context() as crashing:
        crashing.setattr(service, "transact", write_or_crash)
        with pytest.raises(Killed):
            deliver(subject, trigger_id)
    wait_until(lambda: 0 < TriggerCount.total_active(trigger_id) < len(subject.followers))

    deliver(subject, trigger_id, delivery="2")
    check_complete(subject, trigger_id)
    assert set(sent(aws)) == {execution.id for execution in subject.executions(trigger_id)}


def test_killed_after_the_page_was_sent_and_before_its_checkpoint_was_saved(
    aws: EmbeddedAws, following: Strategies, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = following(40)
    trigger_id = fire(subject)

    def crash(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as crashing:
        crashing.setattr(service, "_save_checkpoint", crash)
        with pytest.raises(Killed):
            deliver(subject, trigger_id)
    executions = subject.executions(trigger_id)
    assert set(sent(aws)) == {execution.id for execution in executions}
    executions[0].change(state=ExecutionState.ENTERING)
    executions[1].change(state=ExecutionState.DENIED, reason=DenialReason.HALTED)

    deliver(subject, trigger_id, delivery="2")
    assert set(sent(aws)) == {execution.id for execution in executions[2:]}
    assert TriggerCount.total_active(trigger_id) == len(subject.followers) - 1
    assert [Execution.get(execution.id).state for execution in executions[:2]] == [
        ExecutionState.ENTERING,
        ExecutionState.DENIED,
    ]


def test_fan_out_killed_between_pages_continues_from_the_checkpoint(
    aws: EmbeddedAws, following: Strategies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE_SIZE", 20)
    subject = following(50)
    trigger_id = fire(subject)
    usual = service._fan_out_page
    pages: list[int] = []

    async def fan_out_or_crash(trigger: Trigger, followers: Any, **options: Any) -> tuple[int, int]:
        pages.append(len(followers))
        if len(pages) == 2:
            raise Killed
        return await usual(trigger, followers, **options)

    monkeypatch.setattr(service, "_fan_out_page", fan_out_or_crash)
    with pytest.raises(Killed):
        deliver(subject, trigger_id)
    assert Trigger.get(trigger_id).fanout_checkpoint == subject.followers[19].created_key

    deliver(subject, trigger_id, delivery="2")
    assert pages == [20, 20, 20, 10]
    check_complete(subject, trigger_id)
    assert sent(aws) == Counter([execution.id for execution in subject.executions(trigger_id)])


def test_fan_out_continues_although_the_checkpoints_follower_is_deleted(
    aws: EmbeddedAws, following: Strategies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE_SIZE", 20)
    subject = following(50)
    trigger_id = fire(subject)
    usual = service._fan_out_page

    async def delete_the_last(trigger: Trigger, followers: Any, **options: Any) -> tuple[int, int]:
        done = await usual(trigger, followers, **options)
        followers[-1].delete()
        return done

    monkeypatch.setattr(service, "_fan_out_page", delete_the_last)
    deliver(subject, trigger_id)
    check_complete(subject, trigger_id)
    assert sent(aws) == Counter([execution.id for execution in subject.executions(trigger_id)])


def test_a_follower_deleted_before_the_second_delivery_affects_no_other(
    aws: EmbeddedAws, following: Strategies, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = following(5)
    trigger_id = fire(subject)

    def fail(*_: Any, **__: Any) -> None:
        raise MessageNotSent("5 message(s) not taken")

    with monkeypatch.context() as failing:
        failing.setattr(messages, "send_orders", fail)
        with pytest.raises(MessageNotSent):
            deliver(subject, trigger_id)
    gone = subject.followers[2]
    Follower.get(gone.strategy_id, gone.created_key).delete()

    deliver(subject, trigger_id, delivery="2")
    executions = subject.executions(trigger_id)
    assert set(sent(aws)) == {execution.id for execution in executions if execution.follower_id != gone.id}
    # What was written for it stays due, so that the watcher ends it; the trigger waits for that.
    [left] = [execution for execution in executions if execution.follower_id == gone.id]
    assert left.due_at is not None
    assert Trigger.get(trigger_id).active
    for execution in executions:
        execution.change(state=ExecutionState.DENIED, reason=DenialReason.FOLLOWER_INACTIVE)
    assert end_trigger_if_finished(trigger_id)
    assert not Trigger.get(trigger_id).active


def test_a_first_worker_that_continues_beside_its_replacement_does_nothing_twice(
    aws: EmbeddedAws, following: Strategies, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = following(40)
    trigger_id = fire(subject)
    usual = service._fan_out_page
    overtaken: list[bool] = []

    async def be_overtaken(trigger: Trigger, followers: Any, **options: Any) -> tuple[int, int]:
        if not overtaken:
            overtaken.append(True)
            message = TriggerMessage(trigger_id=trigger.id, strategy_id=trigger.strategy_id)
            await fan_out(message, delivery="2")
        return await usual(trigger, followers, **options)

    monkeypatch.setattr(service, "_fan_out_page", be_overtaken)
    with pytest.raises(RecordChanged):
        deliver(subject, trigger_id)
    check_complete(subject, trigger_id)


def test_the_second_delivery_of_a_finished_fan_out_sends_nothing(aws: EmbeddedAws, following: Strategies) -> None:
    subject = following(3)
    trigger_id = fire(subject)
    deliver(subject, trigger_id)
    assert len(sent(aws)) == 3
    deliver(subject, trigger_id, delivery="2")
    assert not sent(aws)
    check_complete(subject, trigger_id)


def test_an_admins_trigger_goes_to_the_followers_named_only(
    aws: EmbeddedAws, following: Strategies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_ADMIN_PAGE_SIZE", 10)
    subject = following(25)
    named = [subject.followers[index].id for index in (3, 17, 24)]
    trigger = accept_admin_order(subject.strategy, BUY, follower_ids=named, received_at=utc_now())
    deliver(subject, trigger.id)
    assert [execution.follower_id for execution in subject.executions(trigger.id)] == named
    assert len(sent(aws)) == 3
    assert TriggerCount.total_active(trigger.id) == 3


def test_the_trigger_ends_with_its_last_execution_though_they_end_at_once(
    aws: EmbeddedAws, following: Strategies
) -> None:
    subject = following(24)
    trigger_id = fire(subject)
    deliver(subject, trigger_id)

    def end(execution: Execution) -> bool:
        execution.change(state=ExecutionState.DENIED, reason=DenialReason.HALTED)
        return end_trigger_if_finished(trigger_id)

    executions = subject.executions(trigger_id)
    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(end, executions[:12]))
        assert Trigger.get(trigger_id).active
        assert any(pool.map(end, executions[12:]))
    assert not Trigger.get(trigger_id).active
    assert TriggerCount.total_active(trigger_id) == 0


def test_a_hundred_followers_are_queued_by_few_requests(aws: EmbeddedAws, following: Strategies) -> None:
    subject = following(100)
    trigger_id = fire(subject)
    with counted_requests() as requests:
        deliver(subject, trigger_id)
    assert len(sent(aws)) == 100
    assert requests["TransactWriteItems"] == 4, "25 executions, with their count, in each"
    assert requests["SendMessageBatch"] <= 40, "ten messages in each: one order and two looks later for each follower"
    assert requests.total() <= 60


@contextmanager
def counted_requests() -> Iterator[Counter[str]]:
    """Count this process's requests to AWS by operation."""
    counted: Counter[str] = Counter()

    def count(model: Any, **_: Any) -> None:
        counted[model.name] += 1

    clients = [base.connection().client, messages._sqs()]
    for client in clients:
        client.meta.events.register("before-call", count)
    try:
        yield counted
    finally:
        for client in clients:
            client.meta.events.unregister("before-call", count)


def wait_until(condition: Callable[[], bool], *, within_s: float = 10.0) -> None:
    """Return once the condition holds; a killed attempt's threads end by themselves."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.01)
