"""Sends one e-mail, with its images, through SES, and raises `delivery`'s errors. Repeats nothing.

Blocking. Logs neither addresses nor texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from http import HTTPStatus
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)

from shared.aws_session import aws_session
from shared.config import settings
from shared.models.notice import InlineImage
from shared.notifications.delivery import DeliveryMisconfigured, DeliveryPostponed, DeliveryRefused, DeliveryUnknown
from shared.notifications.rendering import Mail
from shared.process_state import process_cache

_POSTPONED_CODES: Final = {
    "TooManyRequestsException",
    "ThrottlingException",
    "LimitExceededException",
    "SendingPausedException",
    "AccountSuspendedException",
}
_REFUSED_CODES: Final = {"MessageRejected", "BadRequestException"}


WIRE: Final = SMTP.clone(max_line_length=998)
"""SMTP's own limit of a line: a shorter one would break an address in a header into encoded words."""


def send_mail(address: str, letter: Mail, *, images: Sequence[InlineImage] = ()) -> None:
    """Send an e-mail as text and HTML, its images inside it; raise one of `delivery`'s errors."""
    try:
        _ses().send_email(
            FromEmailAddress=settings().sender_address,
            Destination={"ToAddresses": [address]},
            Content={"Raw": {"Data": compose(address, letter, images=images).as_bytes(policy=WIRE)}},
        )
    except (EndpointConnectionError, ConnectTimeoutError) as error:
        raise DeliveryPostponed("SES cannot be reached") from error
    except HTTPClientError as error:
        raise DeliveryUnknown(type(error).__name__) from error
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _POSTPONED_CODES:
            raise DeliveryPostponed(code) from error
        if code in _REFUSED_CODES:
            raise DeliveryRefused(code) from error
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise DeliveryUnknown(code) from error
        raise DeliveryMisconfigured(code) from error
    except BotoCoreError as error:
        # Every other error of botocore comes before the request: no credentials, no such service.
        raise DeliveryMisconfigured(type(error).__name__) from error


def compose(address: str, letter: Mail, *, images: Sequence[InlineImage] = ()) -> EmailMessage:
    """Return the message: text, and HTML that shows the images by `cid:<name>`."""
    message = EmailMessage()
    message["From"] = settings().sender_address
    message["To"] = address
    message["Subject"] = letter.subject
    ways = [f"<{letter.unsubscribe_url}>"] if letter.unsubscribe_url else []
    if letter.opt_out_by_reply:
        ways.append(f"<mailto:{settings().sender_address}?subject=No%20reports>")
    if ways:
        # Mail programs show a button: it sends a request to the page (RFC 8058), or writes such an e-mail.
        message["List-Unsubscribe"] = ", ".join(ways)
    if letter.unsubscribe_url:
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    html = message.get_payload(1)
    for image in images:
        html.add_related(  # type: ignore[union-attr]
            image.png, "image", "png", cid=f"<{image.name}>", filename=f"{image.name}.png", disposition="inline"
        )
    return message


@process_cache
def _ses() -> Any:
    # One attempt only: botocore would repeat a request whose answer is missing, and send it twice.
    config = Config(connect_timeout=2, read_timeout=8, retries={"total_max_attempts": 1, "mode": "standard"})
    return aws_session().client("sesv2", region_name=settings().aws_region, config=config)
