"""Signed links between a chat and a user: valid fifteen minutes, once; every other link is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import jwt
import pytest

from shared.clock import utc_now
from shared.models.base import transact
from shared.models.telegram_link import TelegramLink
from shared.notifications import telegram_link
from shared.notifications.telegram_link import LinkRefused, make_link, read_link
from tests.unit.in_process_aws import Queues
from tests.unit.records import USER_ID

KEY = "k" * 32


@pytest.fixture(autouse=True)
def _key(tables: Queues, settings_from: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    settings_from(TELEGRAM_LINK_KEY_PARAMETER="/unit/link-key")
    monkeypatch.setattr(telegram_link, "read_parameter", {"/unit/link-key": KEY}.__getitem__)


def start_of(link: str) -> str:
    return link.partition("?start=")[2]


def made(**ago: int) -> str:
    return start_of(make_link(USER_ID, bot_name="a_bot", at=utc_now() - timedelta(**ago)).url)


def test_link_names_the_bot_and_fits_telegrams_limit() -> None:
    link = make_link(USER_ID, bot_name="a_bot", at=utc_now()).url
    assert re.fullmatch(r"https://t\.me/a_bot\?start=[A-Za-z0-9_-]{1,64}", link)


def test_link_names_its_user() -> None:
    assert read_link(made()).user_id == USER_ID


def test_links_are_unique() -> None:
    assert len({made() for _ in range(5)}) == 5


def test_link_is_valid_for_fifteen_minutes() -> None:
    assert read_link(made(minutes=14)).user_id == USER_ID
    with pytest.raises(LinkRefused, match="ExpiredSignatureError"):
        read_link(made(minutes=15, seconds=1))


def test_a_link_that_was_used_is_refused() -> None:
    start = made()
    link = read_link(start)
    transact(lambda transaction: link.use(transaction, at=utc_now()))
    with pytest.raises(LinkRefused, match="used up"):
        read_link(start)


def test_a_forged_signature_is_refused() -> None:
    start = made()
    code, signature = start[:20], start[20:]
    others = made()[20:]
    for forged in (others, signature[::-1], "A" * 43):
        with pytest.raises(LinkRefused):
            read_link(code + forged)


@pytest.mark.parametrize("start", ["", "x", "A" * 63, "A" * 64, "../../etc", "é" * 63, "A" * 62 + "\n"])
def test_text_that_is_not_a_link_is_refused(start: str) -> None:
    with pytest.raises(LinkRefused):
        read_link(start)


def test_record_that_was_not_signed_by_us_is_refused() -> None:
    """A writer to the table who has no key cannot make a link, nor turn one user's link into another's."""
    start = made()
    link = TelegramLink.get(start[:20])
    link.update(actions=[TelegramLink.user_id.set("somebody-else")])
    with pytest.raises(LinkRefused, match="another record"):
        read_link(start)
    claims = {"aud": "lockstep:telegram-link", "sub": "somebody-else", "jti": start[:20], "iat": 0, "exp": 2**40}
    signed, _, signature = jwt.encode(claims, "another key of thirty-two bytes!", algorithm="HS256").rpartition(".")
    link.update(actions=[TelegramLink.signed.set(signed)])
    with pytest.raises(LinkRefused, match="InvalidSignatureError"):
        read_link(start[:20] + signature)


def test_a_token_without_a_signature_is_refused() -> None:
    start = made()
    claims = {"aud": "lockstep:telegram-link", "sub": USER_ID, "jti": start[:20], "iat": 0, "exp": 2**40}
    signed, _, _ = jwt.encode(claims, "", algorithm="none").rpartition(".")
    TelegramLink.get(start[:20]).update(actions=[TelegramLink.signed.set(signed)])
    with pytest.raises(LinkRefused, match="InvalidAlgorithmError"):
        read_link(start)


def test_token_of_another_audience_is_refused() -> None:
    start = made()
    claims = {"aud": "lockstep:something-else", "sub": USER_ID, "jti": start[:20], "iat": 0, "exp": 2**40}
    signed, _, signature = jwt.encode(claims, KEY, algorithm="HS256").rpartition(".")
    TelegramLink.get(start[:20]).update(actions=[TelegramLink.signed.set(signed)])
    with pytest.raises(LinkRefused, match="InvalidAudienceError"):
        read_link(start[:20] + signature)


def test_repeat_of_a_request_gets_the_same_link_and_another_request_another() -> None:
    first = make_link(USER_ID, bot_name="a_bot", at=utc_now(), request="one")
    assert make_link(USER_ID, bot_name="a_bot", at=utc_now() + timedelta(minutes=5), request="one") == first
    assert make_link(USER_ID, bot_name="a_bot", at=utc_now(), request="two").url != first.url
    assert read_link(start_of(first.url)).user_id == USER_ID


def test_request_of_two_days_ago_gets_a_new_link() -> None:
    long_ago = make_link(USER_ID, bot_name="a_bot", at=utc_now() - timedelta(days=2), request="one")
    again = make_link(USER_ID, bot_name="a_bot", at=utc_now(), request="one")
    assert again.url != long_ago.url
    assert read_link(start_of(again.url)).user_id == USER_ID
