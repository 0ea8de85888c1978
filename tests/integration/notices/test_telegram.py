"""The client of Telegram, against a server with its protocol: each result of sending a message."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from shared.notifications import telegram
from shared.notifications.delivery import (
    ChatGone,
    DeliveryMisconfigured,
    DeliveryPostponed,
    DeliveryRefused,
    DeliveryUnknown,
)
from shared.notifications.rendering import telegram_text
from shared.notifications.telegram import send_message
from shared.notifications.templates import Fact, NoticeText, text_of
from tests.integration.notices.stand_ins import StandIn
from tests.unit.notifications.samples import OPENED


def test_message_is_shown_as_written(stand_in: StandIn) -> None:
    send_message(stand_in.chat_id, telegram_text(text_of(OPENED)))
    (message,) = stand_in.received()
    assert message["text"].splitlines()[0] == "BTC/USDT: long position opened"
    assert message["sent"].startswith("<b>BTC/USDT: long position opened</b>\n")


def test_markup_in_names_is_shown_as_text(stand_in: StandIn) -> None:
    send_message(stand_in.chat_id, telegram_text(NoticeText("a <b>bold</b> & name", (Fact("x", "</b>&lt;<"),))))
    (message,) = stand_in.received()
    assert message["text"] == "a <b>bold</b> & name\nx: </b>&lt;<"


def test_rate_limit_names_the_pause(stand_in: StandIn) -> None:
    stand_in.fail_next(status=429, retryAfter=7)
    with pytest.raises(DeliveryPostponed) as postponed:
        send_message(stand_in.chat_id, "hello")
    assert postponed.value.after_s == 7
    assert stand_in.received() == []


def test_second_message_within_a_second_is_postponed(stand_in: StandIn) -> None:
    send_message(stand_in.chat_id, "one")
    with pytest.raises(DeliveryPostponed):
        send_message(stand_in.chat_id, "two")


def test_blocked_bot_raises_chat_gone(stand_in: StandIn) -> None:
    stand_in.block()
    with pytest.raises(ChatGone):
        send_message(stand_in.chat_id, "hello")


@pytest.mark.parametrize("text", ["", "<script>x</script>", "<b>open", "x" * 4097])
def test_message_that_telegram_rejects_is_refused(stand_in: StandIn, text: str) -> None:
    with pytest.raises(DeliveryRefused) as refused:
        send_message(stand_in.chat_id, text)
    assert not isinstance(refused.value, ChatGone)


@pytest.mark.parametrize(
    "failure", [{"status": 500}, {"status": 502}, {"kind": "drop_before"}, {"kind": "drop_after"}], ids=str
)
def test_unreadable_answer_leaves_the_outcome_unknown(stand_in: StandIn, failure: dict[str, object]) -> None:
    stand_in.fail_next(**failure)
    with pytest.raises(DeliveryUnknown):
        send_message(stand_in.chat_id, "hello")


def test_unknown_token_is_a_misconfiguration(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telegram, "read_parameter", lambda _: "1:another")
    with pytest.raises(DeliveryMisconfigured):
        send_message(stand_in.chat_id, "hello")


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


def test_unreachable_telegram_postpones_the_message(
    stand_in: StandIn, closed_port: int, settings_from: Callable[..., None]
) -> None:
    settings_from(TELEGRAM_URL=f"http://127.0.0.1:{closed_port}")
    with pytest.raises(DeliveryPostponed) as postponed:
        send_message(stand_in.chat_id, "hello")
    assert postponed.value.after_s is None
