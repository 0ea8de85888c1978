"""E-mails as SES receives them, and the error for each of its answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from shared.models.notice import InlineImage
from shared.notifications import mail
from shared.notifications.delivery import (
    DeliveryMisconfigured,
    DeliveryPostponed,
    DeliveryRefused,
    DeliveryUnknown,
)
from shared.notifications.rendering import Mail

LETTER = Mail(subject="Lockstep: Your week: +1 USD", text="A long – text\n", html='<p>Grüße <img src="cid:equity"></p>')
IMAGE = InlineImage("equity", b"\x89PNG\r\n\x1a\n\x00\xff")
ADDRESS = "john@example.com"


@pytest.fixture(autouse=True)
def _sender(settings_from: Callable[..., None]) -> None:
    settings_from(SENDER_ADDRESS="notices@example.com")


def received(*images: InlineImage) -> EmailMessage:
    """Return the letter as a mail program reads it."""
    raw = mail.compose(ADDRESS, LETTER, images=images).as_bytes(policy=mail.WIRE)
    assert max(map(len, raw.splitlines())) <= 998
    return message_from_bytes(raw, policy=default)


def test_email_has_a_text_and_an_html_part() -> None:
    letter = received()
    assert (letter["From"], letter["To"], letter["Subject"]) == ("notices@example.com", ADDRESS, LETTER.subject)
    assert letter.get_content_type() == "multipart/alternative"
    text, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert text is not None
    assert text.get_content().replace("\r\n", "\n") == LETTER.text
    assert html is not None
    assert html.get_content().strip() == LETTER.html


def test_image_is_inline_under_its_name() -> None:
    (image,) = [part for part in received(IMAGE).walk() if part.get_content_type() == "image/png"]
    assert image["Content-ID"] == "<equity>"
    assert image["Content-Disposition"].startswith("inline")
    assert image.get_payload(decode=True) == IMAGE.png


def test_letter_with_a_page_has_the_headers_of_one_click_unsubscribing() -> None:
    # Longer than a header's usual line: an address in encoded words would be none.
    url = f"https://abc.lambda-url.eu-west-1.on.aws/v1/unsubscribe?token={'a' * 130}.{'b' * 43}"
    raw = mail.compose(ADDRESS, replace(LETTER, opt_out_by_reply=True, unsubscribe_url=url)).as_bytes(policy=mail.WIRE)
    head = raw.partition(b"\r\n\r\n")[0]
    reply = "<mailto:notices@example.com?subject=No%20reports>"
    assert f"\r\nList-Unsubscribe: <{url}>, {reply}\r\n".encode() in head
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in head
    assert max(map(len, raw.splitlines())) <= 998


def test_only_emails_with_an_opt_out_have_an_unsubscribe_header() -> None:
    assert received()["List-Unsubscribe"] is None
    raw = mail.compose(ADDRESS, replace(LETTER, opt_out_by_reply=True)).as_bytes(policy=mail.WIRE)
    assert b"\r\nList-Unsubscribe: <mailto:notices@example.com?subject=No%20reports>\r\n" in raw


class Ses:
    """SES, with one answer."""

    def __init__(self, answer: Exception | None) -> None:
        self.answer = answer
        self.sent: list[dict[str, Any]] = []

    def send_email(self, **request: Any) -> None:
        self.sent.append(request)
        if self.answer is not None:
            raise self.answer


def refusal(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "SendEmail")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (EndpointConnectionError(endpoint_url="x"), DeliveryPostponed),
        (ConnectTimeoutError(endpoint_url="x"), DeliveryPostponed),
        (refusal("TooManyRequestsException", 429), DeliveryPostponed),
        (refusal("SendingPausedException", 400), DeliveryPostponed),
        (ReadTimeoutError(endpoint_url="x"), DeliveryUnknown),
        (ConnectionClosedError(endpoint_url="x"), DeliveryUnknown),
        (refusal("InternalFailure", 500), DeliveryUnknown),
        (refusal("MessageRejected", 400), DeliveryRefused),
        (refusal("AccessDeniedException", 403), DeliveryMisconfigured),
        (NoCredentialsError(), DeliveryMisconfigured),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_each_answer_of_ses_raises_its_error(
    monkeypatch: pytest.MonkeyPatch, answer: BotoCoreError | ClientError, meaning: type[Exception]
) -> None:
    ses = Ses(answer)
    monkeypatch.setattr(mail, "_ses", lambda: ses)
    with pytest.raises(meaning):
        mail.send_mail(ADDRESS, LETTER)
    assert len(ses.sent) == 1


def test_email_is_sent_to_its_address_only(monkeypatch: pytest.MonkeyPatch) -> None:
    ses = Ses(None)
    monkeypatch.setattr(mail, "_ses", lambda: ses)
    mail.send_mail(ADDRESS, LETTER, images=[IMAGE])
    assert [one["Destination"] for one in ses.sent] == [{"ToAddresses": [ADDRESS]}]


def test_botocore_makes_one_attempt() -> None:
    assert mail._ses().meta.config.retries["total_max_attempts"] == 1
