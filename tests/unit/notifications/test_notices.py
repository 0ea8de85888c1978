"""A notice is recorded once for each kind, recipient and cause, and queued until it is sent."""

from __future__ import annotations

import pytest

from shared import messages
from shared.messages import read_notice_message
from shared.models.notice import Channel, InlineImage, Notice, Outcome, Reason
from shared.models.notification_setting import NotificationSetting
from shared.notifications.notice_types import PlanLapsed, Reply, TelegramReply, from_json
from shared.notifications.notices import IMAGES_BYTES, notify
from shared.notifications.recipients import ADMINS, to_chat, to_user
from tests.unit.in_process_aws import Queues
from tests.unit.notifications.samples import AT, NEAR, OPENED
from tests.unit.records import USER_ID

TO = to_user(USER_ID)


def stored(notice_id: str) -> Notice:
    return Notice.get(notice_id, consistent_read=True)


def queued(queues: Queues) -> list[str]:
    return [message["notice_id"] for message in queues.sent_to(queues.notices)]


def test_a_notice_is_recorded_with_its_values_and_queued(tables: Queues) -> None:
    notice_id = notify(OPENED, to=TO, cause="execution-1", at=AT)
    notice = stored(notice_id)
    assert from_json(OPENED.kind, notice.content) == OPENED
    assert (notice.recipient, notice.kind, notice.cause, notice.created_at) == (
        f"user#{USER_ID}",
        "POSITION_OPENED",
        "execution-1",
        AT,
    )
    assert [notice.delivery(channel).outcome for channel in Channel] == [Outcome.PENDING, Outcome.PENDING]
    assert queued(tables) == [notice_id]


def test_repeated_cause_keeps_the_first_notice(tables: Queues) -> None:
    first = notify(PlanLapsed(plan_name="STANDARD"), to=TO, cause="event-1", at=AT)
    again = notify(PlanLapsed(plan_name="LARGE"), to=TO, cause="event-1", at=AT)
    assert again == first
    assert from_json(PlanLapsed.kind, stored(first).content) == PlanLapsed(plan_name="STANDARD")
    assert Notice.count() == 1


def test_another_cause_kind_or_recipient_makes_another_notice(tables: Queues) -> None:
    lapsed = PlanLapsed(plan_name="STANDARD")
    made = {
        notify(lapsed, to=TO, cause="event-1", at=AT),
        notify(lapsed, to=TO, cause="event-2", at=AT),
        notify(lapsed, to=to_user("somebody-else"), cause="event-1", at=AT),
        notify(OPENED, to=TO, cause="event-1", at=AT),
        notify(lapsed, to=ADMINS, cause="event-1", at=AT),
    }
    assert len(made) == 5


def test_repeat_queues_a_notice_that_was_never_queued(tables: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> None:
        raise messages.MessageNotSent

    with monkeypatch.context() as broken:
        broken.setattr("shared.notifications.notices.send_notice", lost)
        with pytest.raises(messages.MessageNotSent):
            notify(OPENED, to=TO, cause="execution-1", at=AT)
    assert queued(tables) == []
    notice_id = notify(OPENED, to=TO, cause="execution-1", at=AT)
    assert queued(tables) == [notice_id]


def test_a_notice_that_was_sent_is_not_queued_again(tables: Queues) -> None:
    notice = stored(notify(OPENED, to=TO, cause="execution-1", at=AT))
    for channel in Channel:
        assert notice.set_outcome(channel, Outcome.SENT, at=AT)
    queued(tables)
    notify(OPENED, to=TO, cause="execution-1", at=AT)
    assert queued(tables) == []


@pytest.mark.parametrize("switched", [None, False])
def test_notice_is_recorded_as_skipped_while_its_setting_is_off(tables: Queues, switched: bool | None) -> None:
    if switched is not None:
        NotificationSetting(
            notify_user_reach_near_max_balance=switched, notify_weekly_report=True, created_at=AT, updated_at=AT
        ).save()
    notice = stored(notify(NEAR, to=TO, cause="crossing-1", at=AT))
    for channel in Channel:
        assert (notice.delivery(channel).outcome, notice.delivery(channel).reason) == (
            Outcome.SKIPPED,
            Reason.SWITCHED_OFF,
        )
    assert queued(tables) == []


def test_notice_is_queued_while_its_setting_is_on(tables: Queues) -> None:
    NotificationSetting(notify_user_reach_near_max_balance=True, created_at=AT, updated_at=AT).save()
    assert queued(tables) == [] != [notify(NEAR, to=TO, cause="crossing-1", at=AT)]
    assert len(queued(tables)) == 1


def test_bots_answer_is_not_sent_by_email(tables: Queues) -> None:
    notice = stored(notify(TelegramReply(reply=Reply.WELCOME), to=to_chat("42"), cause="update-1", at=AT))
    assert notice.telegram.outcome is Outcome.PENDING
    assert (notice.email.outcome, notice.email.reason) == (Outcome.SKIPPED, Reason.CHANNEL_NOT_USED)


def test_images_are_stored_with_the_notice(tables: Queues) -> None:
    png = b"\x89PNG\r\n\x1a\n\x00\xff"
    notice = stored(notify(OPENED, to=TO, cause="a", at=AT, images=[InlineImage("equity", png)]))
    assert [(image.name, image.png) for image in notice.images] == [("equity", png)]


def test_images_larger_than_a_record_are_refused(tables: Queues) -> None:
    with pytest.raises(ValueError, match="images"):
        notify(OPENED, to=TO, cause="a", at=AT, images=[InlineImage("equity", b"x" * (IMAGES_BYTES + 1))])


def test_only_one_of_two_workers_sets_an_outcome(tables: Queues) -> None:
    notice_id = notify(OPENED, to=TO, cause="a", at=AT)
    one, other = stored(notice_id), stored(notice_id)
    assert one.set_outcome(Channel.TELEGRAM, Outcome.SENDING, at=AT, attempt=True)
    assert not other.set_outcome(Channel.TELEGRAM, Outcome.SENDING, at=AT, attempt=True)
    assert other.telegram.outcome is Outcome.SENDING
    # No worker has the other channel yet.
    assert other.set_outcome(Channel.EMAIL, Outcome.SENDING, at=AT, attempt=True)
    assert stored(notice_id).telegram.attempts == 1


def test_message_without_a_notice_id_is_malformed() -> None:
    with pytest.raises(messages.MessageMalformed):
        read_notice_message('{"notice": 1}')
