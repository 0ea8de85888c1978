"""Notices on real engines: many workers at once, real queues, SES and Telegram over HTTP."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from functions.notice_sender import pacing, service
from functions.notice_sender.app import lambda_handler
from shared.clock import utc_now
from shared.models.notice import Channel, InlineImage, Notice, Outcome, Reason
from shared.models.send_pace import SendPace
from shared.models.user import User
from shared.notifications.notice_types import PlanLapsed
from shared.notifications.notices import notify
from shared.notifications.recipients import to_user
from tests.integration.embedded_aws import EmbeddedAws
from tests.integration.notices.stand_ins import Letters, StandIn
from tests.lambda_context import FakeContext
from tests.unit import records

LAPSED = PlanLapsed(plan_name="STANDARD")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf500f0003860180"
    "5a34786d0000000049454e44ae426082"
)


def a_user(stand_in: StandIn | None) -> User:
    user_id, chat_id = str(uuid4()), stand_in.chat_id if stand_in is not None else None
    return records.a_user(user_id, email=f"{user_id}@example.com", email_verified=True, telegram_chat_id=chat_id)


def queued(aws: EmbeddedAws) -> list[str]:
    return [message["notice_id"] for message in aws.taken_from(aws.notices)]


@pytest.mark.usefixtures("letters")
def test_calls_at_once_make_one_notice_that_is_sent_once_per_channel(
    aws: EmbeddedAws, stand_in: StandIn, letters: Letters
) -> None:
    user = a_user(stand_in)
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: notify(LAPSED, to=to_user(user.id), cause="event-1", at=utc_now()), range(8)))
        (notice_id,) = ids
        list(pool.map(service.send, [notice_id] * 8))
    assert len(stand_in.received()) == 1
    assert len(letters.to(user.email)) == 1
    notice = Notice.get(notice_id, consistent_read=True)
    assert {notice.delivery(channel).outcome for channel in Channel} == {Outcome.SENT}
    assert {notice.delivery(channel).attempts for channel in Channel} == {1}


def test_many_workers_keep_a_chats_rate_limit_and_lose_nothing(
    aws: EmbeddedAws, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "BOT", f"bot-{uuid4()}")
    user = a_user(stand_in)
    due = {notify(LAPSED, to=to_user(user.id), cause=f"event-{number}", at=utc_now()) for number in range(4)}
    deadline = time.monotonic() + 60
    while len(stand_in.received()) < len(due) and time.monotonic() < deadline:
        # As many workers as messages, the one that the queue takes back for later among them.
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(service.send, queued(aws)))
        time.sleep(0.1)
    times = [message["atMs"] for message in stand_in.received()]
    assert len(times) == len(due)
    # The stand-in, like Telegram, takes no two of them closer than this; a slow machine may bring one to try.
    assert min(later - earlier for earlier, later in itertools.pairwise(sorted(times))) >= 900
    for notice_id in due:
        assert Notice.get(notice_id, consistent_read=True).telegram.outcome is Outcome.SENT


def test_reservations_of_many_threads_keep_their_distance(aws: EmbeddedAws) -> None:
    key, ready = f"turns-{uuid4()}", threading.Barrier(8)

    def take(_: int) -> int | None:
        ready.wait()
        return SendPace.reserve(key, now_ms=1_000_000, every_ms=40, ahead_ms=10_000)

    with ThreadPoolExecutor(8) as pool:
        turns = sorted(turn for turn in pool.map(take, range(8)) if turn is not None)
    assert turns == [1_000_000 + 40 * number for number in range(8)]


def test_rate_limited_message_is_queued_again_and_arrives(
    aws: EmbeddedAws, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "BOT", f"bot-{uuid4()}")
    user = a_user(stand_in)
    notice_id = notify(LAPSED, to=to_user(user.id), cause="event-1", at=utc_now())
    queued(aws)
    stand_in.fail_next(status=429, retryAfter=1)
    service.send(notice_id)
    assert stand_in.received() == []
    deadline = time.monotonic() + 20
    # It comes as often as it is put off: the chat's and the bot's pauses differ.
    while not stand_in.received() and time.monotonic() < deadline:
        for one in queued(aws):
            service.send(one)
        time.sleep(0.1)
    assert len(stand_in.received()) == 1
    assert Notice.get(notice_id, consistent_read=True).telegram.outcome is Outcome.SENT


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_cut_connection_never_sends_a_second_message(
    aws: EmbeddedAws, stand_in: StandIn, letters: Letters, kind: str
) -> None:
    user = a_user(stand_in)
    notice_id = notify(LAPSED, to=to_user(user.id), cause="event-1", at=utc_now())
    stand_in.fail_next(kind=kind)
    records = [{"messageId": "1", "body": f'{{"notice_id": "{notice_id}"}}', "receiptHandle": "1"}]
    for _ in range(2):
        assert lambda_handler({"Records": records}, FakeContext()) == {"batchItemFailures": []}
    assert len(stand_in.received()) == (1 if kind == "drop_after" else 0)
    assert len(letters.to(user.email)) == 1
    delivery = Notice.get(notice_id, consistent_read=True).telegram
    assert (delivery.outcome, delivery.reason) == (Outcome.FAILED, Reason.OUTCOME_UNKNOWN)


def test_blocked_bot_unlinks_the_chat_and_an_email_says_so(
    aws: EmbeddedAws, stand_in: StandIn, letters: Letters
) -> None:
    user = a_user(stand_in)
    stand_in.block()
    service.send(notify(LAPSED, to=to_user(user.id), cause="event-1", at=utc_now()))
    assert User.get(user.id, consistent_read=True).telegram_chat_id is None
    for notice_id in set(queued(aws)):
        service.send(notice_id)
    subjects = {letter["Subject"] for letter in letters.to(user.email)}
    assert subjects == {
        "Lockstep: Your plan has ended: no new positions",
        "Lockstep: Telegram is no longer linked to your account",
    }


def test_email_has_text_html_and_its_images(aws: EmbeddedAws, letters: Letters) -> None:
    user = a_user(None)
    images = [InlineImage("equity", PNG)]
    service.send(notify(LAPSED, to=to_user(user.id), cause="event-1", at=utc_now(), images=images))
    (letter,) = letters.to(user.email)
    assert letter["Source"] == "notices@example.com"
    assert "STANDARD" in letter["BodyText"]
    assert "<h1" in letter["BodyHtml"]
