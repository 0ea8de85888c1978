"""Sends one message through Telegram's Bot API, and raises `delivery`'s errors. Limits no rate and repeats nothing.

Blocking. The bot's token is part of the address, so no address is ever logged.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final

import urllib3
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from shared.config import settings
from shared.notifications.delivery import (
    ChatGone,
    DeliveryMisconfigured,
    DeliveryPostponed,
    DeliveryRefused,
    DeliveryUnknown,
)
from shared.process_state import process_cache
from shared.secrets import read_parameter

LONGEST: Final = 4096
"""The most characters of one message, after parsing its entities."""

_TIMEOUT = urllib3.Timeout(connect=2, read=8)
_MAX_ANSWER_BYTES: Final = 64 * 1024
_RETRY_AFTER_S: Final = 5


def send_message(chat_id: str, text: str) -> None:
    """Send a message in Telegram's HTML to a chat; raise one of `delivery`'s errors."""
    try:
        token = read_parameter(settings().telegram_token_parameter)
    except (BotoCoreError, ClientError) as error:
        raise DeliveryMisconfigured("the bot's token cannot be read") from error
    body = {
        "chat_id": chat_id,
        "text": text,
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }
    try:
        answer = _pool().request(
            "POST",
            f"{settings().telegram_url}/bot{token}/sendMessage",
            body=json.dumps(body).encode(),
            # A kept-alive connection may be closed just when it is used: the outcome would be unknown.
            headers={"Content-Type": "application/json", "Connection": "close"},
            timeout=_TIMEOUT,
            retries=False,
            redirect=False,
        )
    except (NewConnectionError, ConnectTimeoutError) as error:
        raise DeliveryPostponed("Telegram cannot be reached") from error
    except HTTPError as error:
        raise DeliveryUnknown(type(error).__name__) from error
    _raise_for_answer(answer.status, answer.data[:_MAX_ANSWER_BYTES])


def _raise_for_answer(status: int, body: bytes) -> None:
    content = _read(body)
    match status:
        case HTTPStatus.OK if content.get("ok") is True:
            return
        case HTTPStatus.TOO_MANY_REQUESTS:
            raise DeliveryPostponed("too many messages", after_s=_retry_after_s(content))
        case HTTPStatus.FORBIDDEN:
            raise ChatGone("403")
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.NOT_FOUND:
            raise DeliveryMisconfigured(f"Telegram does not know the bot's token ({status})")
        case _ if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise DeliveryRefused(str(status))
        case _:
            raise DeliveryUnknown(str(status))


def _read(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _retry_after_s(content: dict[str, Any]) -> float:
    parameters = content.get("parameters")
    seconds = parameters.get("retry_after") if isinstance(parameters, dict) else None
    return float(seconds) if isinstance(seconds, (int, float)) and seconds > 0 else float(_RETRY_AFTER_S)


@process_cache
def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(num_pools=2, maxsize=1)
