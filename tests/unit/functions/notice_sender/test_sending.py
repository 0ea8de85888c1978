"""NoticeSender: the channels of a notice, the recorded outcomes, and that nothing is sent twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.notice_sender import channels, pacing, service
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
from shared.notifications.notice_types import (
    NoticeKind,
    NoticeValues,
    PlanLapsed,
    Reply,
    TelegramReply,
    UserNearMaximum,
)
from shared.notifications.notices import notify
from shared.notifications.recipients import ADMINS, to_chat, to_user
from shared.notifications.rendering import Mail
from shared.notifications.unsubscribe_link import Reader, read_token
from tests.lambda_context import FakeContext
from tests.unit.in_process_aws import Queues, aws_client
from tests.unit.notifications.samples import AT, OPENED, SAMPLES
from tests.unit.records import USER_ID, a_user, id_of

CHAT = "4242"
ADDRESS = "john@example.com"
LAPSED = PlanLapsed(plan_name="STANDARD")


@dataclass
class World:
    """Records what was sent, and decides how the next attempts end."""

    queues: Queues
    messages: list[tuple[str, str]] = field(default_factory=list)
    letters: list[tuple[str, str, list[str]]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    """Of each letter: where its reader ends such letters."""
    telegram_ends: list[DeliveryError] = field(default_factory=list)
    email_ends: list[DeliveryError] = field(default_factory=list)
    requeued: list[int] = field(default_factory=list)

    def send_message(self, chat_id: str, text: str) -> None:
        if self.telegram_ends:
            raise self.telegram_ends.pop(0)
        self.messages.append((chat_id, text))

    def send_mail(self, address: str, letter: Mail, *, images: list[InlineImage]) -> None:
        if self.email_ends:
            raise self.email_ends.pop(0)
        self.links.append(letter.unsubscribe_url)
        self.letters.append((address, letter.subject, [image.name for image in images]))

    def notice(self, values: NoticeValues = OPENED, *, user_id: str = USER_ID, cause: str = "cause-1") -> str:
        notice_id = notify(values, to=to_user(user_id), cause=cause, at=AT)
        self.queues.sent_to(self.queues.notices)
        return notice_id

    def delays(self) -> list[int]:
        """Take the messages that were queued again, and return their delays in seconds."""
        taken, self.requeued = self.requeued, []
        return taken

    def requeue(self, _: NoticeMessage, *, delay_s: int) -> None:
        self.requeued.append(delay_s)


@pytest.fixture
def world(tables: Queues, settings_from: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> World:
    settings_from(SENDER_ADDRESS="notices@example.com")
    made = World(tables)
    monkeypatch.setattr(channels, "send_message", made.send_message)
    monkeypatch.setattr(channels, "send_mail", made.send_mail)
    monkeypatch.setattr("functions.notice_sender.pacing.time.sleep", lambda _: None)
    monkeypatch.setattr(service, "send_notice", made.requeue)
    return made


def a_linked_user(**values: Any) -> User:
    usual: dict[str, Any] = {"telegram_chat_id": CHAT, "email": ADDRESS, "email_verified": True}
    return a_user(**(usual | values))


def outcomes(notice_id: str) -> dict[str, tuple[Outcome, Reason | None]]:
    notice = Notice.get(notice_id, consistent_read=True)
    return {channel.value: (notice.delivery(channel).outcome, notice.delivery(channel).reason) for channel in Channel}


SENT = (Outcome.SENT, None)


def test_trade_notice_is_sent_to_the_chat_and_not_by_email(world: World) -> None:
    a_linked_user()
    notice_id = world.notice()
    service.send(notice_id)
    assert [chat for chat, _ in world.messages] == [CHAT]
    assert world.letters == []
    assert outcomes(notice_id) == {"telegram": SENT, "email": (Outcome.SKIPPED, Reason.CHANNEL_NOT_USED)}


@pytest.mark.parametrize("chat", [CHAT, None])
def test_user_who_wants_no_messages_about_trades_gets_none_and_others_still(world: World, chat: str | None) -> None:
    a_linked_user(trade_messages_wanted=False, telegram_chat_id=chat)
    notice_id = world.notice()
    service.send(notice_id)
    assert (world.messages, world.letters) == ([], [])
    unwanted = (Outcome.SKIPPED, Reason.UNWANTED)
    assert outcomes(notice_id) == {"telegram": unwanted, "email": unwanted}
    service.send(world.notice(PlanLapsed(plan_name="PRO"), cause="another"))
    assert len(world.letters) == 1


def test_trade_notice_is_sent_by_email_without_a_chat(world: World) -> None:
    a_linked_user(telegram_chat_id=None)
    notice_id = world.notice()
    service.send(notice_id)
    assert [address for address, _, _ in world.letters] == [ADDRESS]
    assert outcomes(notice_id) == {"telegram": (Outcome.SKIPPED, Reason.NO_CHAT), "email": SENT}


def test_plan_notice_is_sent_on_both_channels(world: World) -> None:
    a_linked_user()
    notice_id = world.notice(LAPSED)
    service.send(notice_id)
    assert (len(world.messages), len(world.letters)) == (1, 1)
    assert outcomes(notice_id) == {"telegram": SENT, "email": SENT}


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_repeated_message_sends_every_kind_once(world: World, kind: Any) -> None:
    NotificationSetting(
        created_at=AT,
        updated_at=AT,
        notify_user_reach_near_max_balance=True,
        notify_admin_user_reach_near_max_balance=True,
        notify_weekly_report=True,
        notify_monthly_report=True,
    ).save()
    a_linked_user()
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
def test_unverified_address_gets_no_email(world: World, values: dict[str, Any], reason: Reason) -> None:
    a_linked_user(**values)
    notice_id = world.notice(LAPSED)
    service.send(notice_id)
    assert outcomes(notice_id) == {"telegram": SENT, "email": (Outcome.SKIPPED, reason)}


def test_without_a_sender_no_email_is_sent(world: World, settings_from: Callable[..., None]) -> None:
    settings_from(SENDER_ADDRESS="")
    a_linked_user()
    notice_id = world.notice(LAPSED)
    service.send(notice_id)
    assert outcomes(notice_id) == {"telegram": SENT, "email": (Outcome.SKIPPED, Reason.NO_SENDER)}


def test_notice_to_an_unknown_user_is_skipped(world: World) -> None:
    notice_id = world.notice(LAPSED)
    service.send(notice_id)
    skipped = (Outcome.SKIPPED, Reason.NO_USER)
    assert outcomes(notice_id) == {"telegram": skipped, "email": skipped}


def test_rate_limit_postpones_every_message_by_telegrams_pause(world: World) -> None:
    a_linked_user()
    a_user("another", telegram_chat_id="77")
    first, other = world.notice(), world.notice(user_id="another")
    world.telegram_ends = [DeliveryPostponed("429", after_s=30)]
    service.send(first)
    service.send(other)
    assert world.messages == []
    assert world.delays() == [30, 30]
    assert outcomes(first)["telegram"] == outcomes(other)["telegram"] == (Outcome.PENDING, None)
    assert Notice.get(first).telegram.attempts == 1


def test_postponed_message_is_sent_after_the_pause(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    a_linked_user()
    notice_id = world.notice()
    world.telegram_ends = [DeliveryPostponed("429", after_s=30)]
    service.send(notice_id)
    later = utc_now() + timedelta(seconds=31)
    monkeypatch.setattr(pacing, "utc_now", lambda: later)
    service.send(notice_id)
    assert len(world.messages) == 1
    assert outcomes(notice_id)["telegram"] == SENT
    assert Notice.get(notice_id).telegram.attempts == 2


def test_pause_is_cut_to_the_longest_delay_of_the_queue(world: World) -> None:
    a_linked_user()
    world.telegram_ends = [DeliveryPostponed("429", after_s=5000)]
    service.send(world.notice())
    assert world.delays() == [900]


def test_unreachable_channel_is_retried_with_growing_pauses(world: World) -> None:
    a_linked_user(telegram_chat_id=None)
    notice_id = world.notice(LAPSED)
    world.email_ends = [DeliveryPostponed("out of reach")] * 3
    for _ in range(3):
        service.send(notice_id)
    assert world.delays() == [4, 8, 16]
    service.send(notice_id)
    assert outcomes(notice_id)["email"] == SENT


def test_notice_that_could_not_be_sent_for_a_day_fails(world: World) -> None:
    a_linked_user()
    notice_id = world.notice(LAPSED)
    Notice(notice_id).update(actions=[Notice.recorded_at.set(utc_now() - timedelta(hours=25))])
    service.send(notice_id)
    late = (Outcome.FAILED, Reason.TOO_LATE)
    assert outcomes(notice_id) == {"telegram": late, "email": late}
    assert (world.messages, world.letters) == ([], [])


def test_blocked_bot_unlinks_the_chat_notifies_the_user_and_sends_an_email(world: World) -> None:
    a_linked_user()
    notice_id = world.notice()
    world.telegram_ends = [ChatGone("403")]
    service.send(notice_id)
    assert outcomes(notice_id) == {"telegram": (Outcome.FAILED, Reason.BLOCKED), "email": SENT}
    assert User.get(USER_ID).telegram_chat_id is None
    notices = [notice for notice in Notice.scan() if notice.kind == "TELEGRAM_UNLINKED"]
    assert [(notice.recipient, "BLOCKED" in notice.content) for notice in notices] == [(f"user#{USER_ID}", True)]


def test_chat_that_was_linked_meanwhile_stays_linked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    a_linked_user()

    def moved(chat_id: str, text: str) -> None:
        User(USER_ID).update(actions=[User.telegram_chat_id.set("new")])
        raise ChatGone(chat_id)

    monkeypatch.setattr(channels, "send_message", moved)
    service.send(world.notice())
    assert User.get(USER_ID).telegram_chat_id == "new"


def test_message_that_may_have_arrived_is_not_sent_again_and_an_email_is(world: World) -> None:
    a_linked_user()
    notice_id = world.notice()
    world.telegram_ends = [DeliveryUnknown("time-out")]
    service.send(notice_id)
    service.send(notice_id)
    assert world.messages == []
    assert len(world.letters) == 1
    assert outcomes(notice_id) == {"telegram": (Outcome.FAILED, Reason.OUTCOME_UNKNOWN), "email": SENT}


@pytest.mark.rings("NoticesFailedAlarm")
def test_refused_message_is_recorded_as_failed(world: World) -> None:
    a_linked_user()
    notice_id = world.notice(LAPSED)
    world.telegram_ends, world.email_ends = [DeliveryRefused("400")], [DeliveryRefused("MessageRejected")]
    service.send(notice_id)
    refused = (Outcome.FAILED, Reason.REFUSED)
    assert outcomes(notice_id) == {"telegram": refused, "email": refused}


def test_misconfigured_channel_does_not_stop_the_other(world: World) -> None:
    a_linked_user()
    notice_id = world.notice(LAPSED)
    world.email_ends = [DeliveryMisconfigured("AccessDenied")]
    with pytest.raises(DeliveryMisconfigured):
        service.send(notice_id)
    assert outcomes(notice_id) == {"telegram": SENT, "email": (Outcome.PENDING, None)}
    service.send(notice_id)
    assert (len(world.messages), len(world.letters)) == (1, 1)


def test_notice_that_another_worker_is_sending_waits(world: World) -> None:
    a_linked_user()
    notice_id = world.notice()
    Notice.get(notice_id).set_outcome(Channel.TELEGRAM, Outcome.SENDING, at=utc_now(), attempt=True)
    service.send(notice_id)
    assert (world.messages, world.letters) == ([], [])
    (delay_s,) = world.delays()
    assert 50 < delay_s <= 60


def test_notice_of_a_crashed_worker_is_not_sent_again(world: World) -> None:
    a_linked_user()
    notice_id = world.notice()
    Notice.get(notice_id).set_outcome(
        Channel.TELEGRAM, Outcome.SENDING, at=utc_now() - timedelta(seconds=61), attempt=True
    )
    service.send(notice_id)
    assert world.messages == []
    assert outcomes(notice_id) == {"telegram": (Outcome.FAILED, Reason.OUTCOME_UNKNOWN), "email": SENT}


def test_messages_to_a_chat_keep_their_distance(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    a_linked_user()
    monkeypatch.setattr(pacing, "utc_now", lambda: AT)
    waited: list[float] = []
    monkeypatch.setattr("functions.notice_sender.pacing.time.sleep", waited.append)
    for number in range(4):
        service.send(world.notice(cause=f"cause-{number}"))
    # Three turns lie within what a worker waits for, the next is left to the queue.
    assert [one for one in waited if one >= 1] == [1.5, 3.0]
    assert len(world.messages) == 3
    assert world.delays() == [5]


def test_bots_answer_is_sent_to_an_unlinked_chat(world: World) -> None:
    notice_id = notify(TelegramReply(reply=Reply.WELCOME), to=to_chat("99"), cause="update-1", at=AT)
    service.send(notice_id)
    assert [chat for chat, _ in world.messages] == ["99"]
    assert outcomes(notice_id)["telegram"] == SENT


def test_notice_to_the_admins_becomes_one_per_admin(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
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
    notices = {notice.recipient: notice for notice in Notice.scan() if notice.recipient != ADMINS}
    assert set(notices) == {f"user#{admin.id}" for admin in admins}
    for notice in notices.values():
        service.send(notice.id)
    assert {address for address, _, _ in world.letters} == {"ada@example.com", "abe@example.com"}
    assert outcomes(notice_id)["email"] == (Outcome.SKIPPED, Reason.SENT_TO_EACH_ADMIN)


def test_images_are_attached_to_the_email(world: World) -> None:
    a_linked_user()
    images = [InlineImage("equity", b"\x89PNG")]
    service.send(notify(LAPSED, to=to_user(USER_ID), cause="a", at=AT, images=images))
    assert world.letters == [(ADDRESS, "Lockstep: Your plan has ended: no new positions", ["equity"])]


@pytest.mark.parametrize("name", ["notice", "malformed"])
def test_message_without_a_stored_notice_is_delivered_again(
    world: World, lambda_context: FakeContext, name: str
) -> None:
    event = json.loads((Path("events/notice_sender") / f"{name}.json").read_text())
    (record,) = event["Records"]
    answer = lambda_handler(event, lambda_context)
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}


def test_a_batch_fails_record_by_record(world: World, lambda_context: FakeContext) -> None:
    a_linked_user()
    notice_id = world.notice()
    records = [
        {"messageId": "good", "body": f'{{"notice_id": "{notice_id}"}}', "receiptHandle": "1"},
        {"messageId": "missing", "body": '{"notice_id": "no-such-notice"}', "receiptHandle": "2"},
        {"messageId": "malformed", "body": "[]", "receiptHandle": "3"},
    ]
    answer = lambda_handler({"Records": records}, lambda_context)
    assert {one["itemIdentifier"] for one in answer["batchItemFailures"]} == {"missing", "malformed"}
    assert len(world.messages) == 1


def test_report_links_to_the_end_of_its_letters_for_its_own_reader(
    world: World, settings_from: Callable[..., None]
) -> None:
    key = aws_client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    settings_from(SENDER_ADDRESS="notices@example.com", UNSUBSCRIBE_URL="https://example.com/v1/u", PAGING_KEY_ID=key)
    NotificationSetting(notify_weekly_report=True, created_at=AT, updated_at=AT).save()
    a_linked_user()
    for number, kind in enumerate((NoticeKind.WEEKLY_REPORT, NoticeKind.PLAN_LAPSED)):
        service.send(world.notice(SAMPLES[kind], cause=f"cause-{number}"))
    report, other = world.links
    assert read_token(report.partition("?token=")[2]) == Reader(USER_ID, NoticeKind.WEEKLY_REPORT)
    assert other == ""
