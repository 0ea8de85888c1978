"""What NoticeSender does with a notice: which ways it goes, what is recorded, and that nothing goes out twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.notice_sender import delivering, pacing, service
from functions.notice_sender.app import lambda_handler
from shared.clock import utc_now
from shared.messages import NoticeMessage
from shared.models.notice import Channel, InlineImage, Notice, Outcome, Reason
from shared.models.notification_setting import NotificationSetting
from shared.models.user import Account, User
from shared.notifications.delivery import (
    ChatGone,
    DeliveryError,
    DeliveryMisconfigured,
    DeliveryPostponed,
    DeliveryRefused,
    DeliveryUnknown,
)
from shared.notifications.notice_types import NoticeValues, PlanLapsed, Reply, TelegramReply, UserNearMaximum
from shared.notifications.notices import notify
from shared.notifications.recipients import ADMINS, to_chat, to_user
from shared.notifications.rendering import Mail
from tests.lambda_context import FakeContext
from tests.unit.conftest import Queues
from tests.unit.notifications.samples import AT, OPENED, SAMPLES
from tests.unit.records import USER_ID, a_user, id_of

CHAT = "4242"
ADDRESS = "john@example.com"
LAPSED = PlanLapsed(plan_name="STANDARD")


@dataclass
class World:
    """What went out, and how the next attempts end."""

    queues: Queues
    messages: list[tuple[str, str]] = field(default_factory=list)
    letters: list[tuple[str, str, list[str]]] = field(default_factory=list)
    telegram_ends: list[DeliveryError] = field(default_factory=list)
    email_ends: list[DeliveryError] = field(default_factory=list)
    put_off: list[int] = field(default_factory=list)

    def send_message(self, chat_id: str, text: str) -> None:
        if self.telegram_ends:
            raise self.telegram_ends.pop(0)
        self.messages.append((chat_id, text))

    def send_mail(self, address: str, letter: Mail, *, images: list[InlineImage]) -> None:
        if self.email_ends:
            raise self.email_ends.pop(0)
        self.letters.append((address, letter.subject, [image.name for image in images]))

    def notice(self, values: NoticeValues = OPENED, *, user_id: str = USER_ID, cause: str = "cause-1") -> str:
        notice_id = notify(values, to=to_user(user_id), cause=cause, at=AT)
        self.queues.sent_to(self.queues.notices)
        return notice_id

    def delays(self) -> list[int]:
        """Take the messages that are to come again, and return after how many seconds."""
        taken, self.put_off = self.put_off, []
        return taken

    def put_off_for(self, _: NoticeMessage, *, delay_s: int) -> None:
        self.put_off.append(delay_s)


@pytest.fixture
def world(tables: Queues, settings_from: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> World:
    settings_from(SENDER_ADDRESS="notices@example.com")
    made = World(tables)
    monkeypatch.setattr(delivering, "send_message", made.send_message)
    monkeypatch.setattr(delivering, "send_mail", made.send_mail)
    monkeypatch.setattr("functions.notice_sender.pacing.time.sleep", lambda _: None)
    monkeypatch.setattr(service, "send_notice", made.put_off_for)
    return made


def linked(**values: Any) -> User:
    usual: dict[str, Any] = {"telegram_chat_id": CHAT, "email": ADDRESS, "email_verified": True}
    return a_user(**(usual | values))


def ended(notice_id: str) -> dict[str, tuple[Outcome, Reason | None]]:
    notice = Notice.get(notice_id, consistent_read=True)
    return {channel.value: (notice.on(channel).outcome, notice.on(channel).reason) for channel in Channel}


SENT = (Outcome.SENT, None)


def test_a_trade_notice_goes_to_the_chat_and_not_by_email(world: World) -> None:
    linked()
    notice_id = world.notice()
    service.send(notice_id)
    assert [chat for chat, _ in world.messages] == [CHAT]
    assert world.letters == []
    assert ended(notice_id) == {"telegram": SENT, "email": (Outcome.SKIPPED, Reason.NOT_THIS_WAY)}


def test_a_trade_notice_goes_by_email_to_who_has_no_chat(world: World) -> None:
    linked(telegram_chat_id=None)
    notice_id = world.notice()
    service.send(notice_id)
    assert [address for address, _, _ in world.letters] == [ADDRESS]
    assert ended(notice_id) == {"telegram": (Outcome.SKIPPED, Reason.NO_CHAT), "email": SENT}


def test_a_notice_of_the_plan_goes_both_ways(world: World) -> None:
    linked()
    notice_id = world.notice(LAPSED)
    service.send(notice_id)
    assert (len(world.messages), len(world.letters)) == (1, 1)
    assert ended(notice_id) == {"telegram": SENT, "email": SENT}


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_the_same_message_twice_sends_every_kind_once(world: World, kind: Any) -> None:
    NotificationSetting(
        created_at=AT,
        updated_at=AT,
        notify_user_reach_near_max_balance=True,
        notify_admin_user_reach_near_max_balance=True,
        notify_weekly_report=True,
        notify_monthly_report=True,
    ).save()
    linked()
    notice_id = world.notice(SAMPLES[kind])
    service.send(notice_id)
    sent = (list(world.messages), list(world.letters))
    assert sent[0]
    service.send(notice_id)
    assert (world.messages, world.letters) == sent
    assert world.delays() == []


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"email": ""}, Reason.NO_ADDRESS),
        ({"email_verified": False}, Reason.NO_ADDRESS),
    ],
)
def test_no_letter_goes_to_an_address_that_nobody_confirmed(
    world: World, values: dict[str, Any], reason: Reason
) -> None:
    linked(**values)
    notice_id = world.notice(LAPSED)
    service.send(notice_id)
    assert ended(notice_id) == {"telegram": SENT, "email": (Outcome.SKIPPED, reason)}


def test_without_a_sender_no_letter_goes(world: World, settings_from: Callable[..., None]) -> None:
    settings_from(SENDER_ADDRESS="")
    linked()
    notice_id = world.notice(LAPSED)
    service.send(notice_id)
    assert ended(notice_id) == {"telegram": SENT, "email": (Outcome.SKIPPED, Reason.NO_SENDER)}


def test_a_notice_to_nobody_ends(world: World) -> None:
    notice_id = world.notice(LAPSED)
    service.send(notice_id)
    nobody = (Outcome.SKIPPED, Reason.NO_USER)
    assert ended(notice_id) == {"telegram": nobody, "email": nobody}


def test_too_many_messages_holds_all_of_them_back_for_as_long_as_telegram_says(world: World) -> None:
    linked()
    a_user("another", telegram_chat_id="77")
    first, other = world.notice(), world.notice(user_id="another")
    world.telegram_ends = [DeliveryPostponed("429", after_s=30)]
    service.send(first)
    service.send(other)
    assert world.messages == []
    assert world.delays() == [30, 30]
    assert ended(first)["telegram"] == ended(other)["telegram"] == (Outcome.PENDING, None)
    assert Notice.get(first).telegram.attempts == 1


def test_what_telegram_held_back_goes_out_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    linked()
    notice_id = world.notice()
    world.telegram_ends = [DeliveryPostponed("429", after_s=30)]
    service.send(notice_id)
    later = utc_now() + timedelta(seconds=31)
    monkeypatch.setattr(pacing, "utc_now", lambda: later)
    service.send(notice_id)
    assert len(world.messages) == 1
    assert ended(notice_id)["telegram"] == SENT
    assert Notice.get(notice_id).telegram.attempts == 2


def test_a_pause_longer_than_a_message_can_be_delayed_is_cut(world: World) -> None:
    linked()
    world.telegram_ends = [DeliveryPostponed("429", after_s=5000)]
    service.send(world.notice())
    assert world.delays() == [900]


def test_out_of_reach_is_tried_again_and_again_for_a_day(world: World) -> None:
    linked(telegram_chat_id=None)
    notice_id = world.notice(LAPSED)
    world.email_ends = [DeliveryPostponed("out of reach")] * 3
    for _ in range(3):
        service.send(notice_id)
    assert world.delays() == [4, 8, 16]
    service.send(notice_id)
    assert ended(notice_id)["email"] == SENT


def test_what_could_not_be_sent_for_a_day_is_given_up(world: World) -> None:
    linked()
    notice_id = world.notice(LAPSED)
    Notice(notice_id).update(actions=[Notice.recorded_at.set(utc_now() - timedelta(hours=25))])
    service.send(notice_id)
    late = (Outcome.FAILED, Reason.TOO_LATE)
    assert ended(notice_id) == {"telegram": late, "email": late}
    assert (world.messages, world.letters) == ([], [])


def test_a_blocked_bot_unlinks_the_chat_tells_the_user_and_sends_a_letter(world: World) -> None:
    linked()
    notice_id = world.notice()
    world.telegram_ends = [ChatGone("403")]
    service.send(notice_id)
    assert ended(notice_id) == {"telegram": (Outcome.FAILED, Reason.BLOCKED), "email": SENT}
    assert User.get(USER_ID).telegram_chat_id is None
    told = [notice for notice in Notice.scan() if notice.kind == "TELEGRAM_UNLINKED"]
    assert [(notice.recipient, "BLOCKED" in notice.content) for notice in told] == [(f"user#{USER_ID}", True)]


def test_a_chat_that_was_linked_meanwhile_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    linked()

    def moved(chat_id: str, text: str) -> None:
        User(USER_ID).update(actions=[User.telegram_chat_id.set("new")])
        raise ChatGone(chat_id)

    monkeypatch.setattr(delivering, "send_message", moved)
    service.send(world.notice())
    assert User.get(USER_ID).telegram_chat_id == "new"


def test_a_message_that_may_have_arrived_is_not_sent_again_and_a_letter_goes(world: World) -> None:
    linked()
    notice_id = world.notice()
    world.telegram_ends = [DeliveryUnknown("time-out")]
    service.send(notice_id)
    service.send(notice_id)
    assert world.messages == []
    assert len(world.letters) == 1
    assert ended(notice_id) == {"telegram": (Outcome.FAILED, Reason.OUTCOME_UNKNOWN), "email": SENT}


def test_a_refused_message_is_recorded(world: World) -> None:
    linked()
    notice_id = world.notice(LAPSED)
    world.telegram_ends, world.email_ends = [DeliveryRefused("400")], [DeliveryRefused("MessageRejected")]
    service.send(notice_id)
    refused = (Outcome.FAILED, Reason.REFUSED)
    assert ended(notice_id) == {"telegram": refused, "email": refused}


def test_one_way_that_an_operator_must_mend_does_not_stop_the_other(world: World) -> None:
    linked()
    notice_id = world.notice(LAPSED)
    world.email_ends = [DeliveryMisconfigured("AccessDenied")]
    with pytest.raises(DeliveryMisconfigured):
        service.send(notice_id)
    assert ended(notice_id) == {"telegram": SENT, "email": (Outcome.PENDING, None)}
    service.send(notice_id)
    assert (len(world.messages), len(world.letters)) == (1, 1)


def test_nobody_sends_what_another_worker_is_sending(world: World) -> None:
    linked()
    notice_id = world.notice()
    Notice.get(notice_id).move(Channel.TELEGRAM, Outcome.SENDING, at=utc_now(), attempt=True)
    service.send(notice_id)
    assert (world.messages, world.letters) == ([], [])
    (delay_s,) = world.delays()
    assert 50 < delay_s <= 60


def test_what_a_dead_worker_was_sending_is_not_sent_again(world: World) -> None:
    linked()
    notice_id = world.notice()
    Notice.get(notice_id).move(Channel.TELEGRAM, Outcome.SENDING, at=utc_now() - timedelta(seconds=61), attempt=True)
    service.send(notice_id)
    assert world.messages == []
    assert ended(notice_id) == {"telegram": (Outcome.FAILED, Reason.OUTCOME_UNKNOWN), "email": SENT}


def test_a_chat_gets_its_messages_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    linked()
    monkeypatch.setattr(pacing, "utc_now", lambda: AT)
    waited: list[float] = []
    monkeypatch.setattr("functions.notice_sender.pacing.time.sleep", waited.append)
    for number in range(4):
        service.send(world.notice(cause=f"cause-{number}"))
    # Three turns lie within what a worker waits for, the next is left to the queue.
    assert [one for one in waited if one >= 1] == [1.5, 3.0]
    assert len(world.messages) == 3
    assert world.delays() == [5]


def test_the_bots_answer_goes_to_a_chat_that_is_nobodys(world: World) -> None:
    notice_id = notify(TelegramReply(reply=Reply.WELCOME), to=to_chat("99"), cause="update-1", at=AT)
    service.send(notice_id)
    assert [chat for chat, _ in world.messages] == ["99"]
    assert ended(notice_id)["telegram"] == SENT


def test_each_admin_gets_a_notice_of_their_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    NotificationSetting(notify_admin_user_reach_near_max_balance=True, created_at=AT, updated_at=AT).save()
    admins = [
        Account(id=id_of(name), email=f"{name}@example.com", email_verified=True, created_at=AT)
        for name in ("ada", "abe")
    ]
    monkeypatch.setattr(service, "list_admins", lambda: admins)
    near = SAMPLES[UserNearMaximum.kind]
    notice_id = notify(near, to=ADMINS, cause="crossing-1", at=AT)
    service.send(notice_id)
    service.send(notice_id)
    told = {notice.recipient: notice for notice in Notice.scan() if notice.recipient != ADMINS}
    assert set(told) == {f"user#{admin.id}" for admin in admins}
    for notice in told.values():
        service.send(notice.id)
    assert {address for address, _, _ in world.letters} == {"ada@example.com", "abe@example.com"}
    assert ended(notice_id)["email"] == (Outcome.SKIPPED, Reason.TOLD_ONE_BY_ONE)


def test_images_go_with_the_letter(world: World) -> None:
    linked()
    images = [InlineImage("equity", b"\x89PNG")]
    service.send(notify(LAPSED, to=to_user(USER_ID), cause="a", at=AT, images=images))
    assert world.letters == [(ADDRESS, "Lockstep: Your plan has ended: no new positions", ["equity"])]


@pytest.mark.parametrize("name", ["notice", "malformed"])
def test_a_message_that_names_no_notice_of_ours_comes_again(
    world: World, lambda_context: FakeContext, name: str
) -> None:
    event = json.loads((Path("events/notice_sender") / f"{name}.json").read_text())
    (record,) = event["Records"]
    answer = lambda_handler(event, lambda_context)
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}


def test_a_batch_fails_record_by_record(world: World, lambda_context: FakeContext) -> None:
    linked()
    notice_id = world.notice()
    records = [
        {"messageId": "good", "body": f'{{"notice_id": "{notice_id}"}}', "receiptHandle": "1"},
        {"messageId": "missing", "body": '{"notice_id": "no-such-notice"}', "receiptHandle": "2"},
        {"messageId": "malformed", "body": "[]", "receiptHandle": "3"},
    ]
    answer = lambda_handler({"Records": records}, lambda_context)
    assert {one["itemIdentifier"] for one in answer["batchItemFailures"]} == {"missing", "malformed"}
    assert len(world.messages) == 1
