"""Lambda behind the bot's public Function URL: HTTP in, HTTP out. Does nothing for who does not know the secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from functions.telegram_webhook.schemas import read_command
from functions.telegram_webhook.service import obey
from shared.api.maintenance import refuse_during_maintenance
from shared.config import settings
from shared.errors import AccessDenied, RequestInvalid, ServiceUnavailable
from shared.observability import count_outcome, logger
from shared.secrets import read_parameter

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

SECRET_HEADER: Final = "x-telegram-bot-api-secret-token"  # noqa: S105 - a header's name

MAX_BYTES: Final = 64 * 1024
"""Far above any update that says something to the bot."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: Mapping[str, object]


def lambda_handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP request. Telegram repeats what is not answered with 200, for a day."""
    try:
        answer = _answer(event)
    except Exception as error:  # noqa: BLE001 - a request ends here
        logger.error("request_failed", error=type(error).__name__, request_id=context.aws_request_id)
        count_outcome("telegram_update_failed")
        answer = _Answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"message": "internal server error"})
    return {
        "statusCode": int(answer.status),
        "headers": {"content-type": "application/json", "x-request-id": context.aws_request_id},
        "body": json.dumps(answer.body),
    }


def _answer(event: Mapping[str, Any]) -> _Answer:
    if _method_of(event) != "POST":
        return _Answer(HTTPStatus.NOT_FOUND, {"message": "route not found"})
    try:
        _check_secret(event)
        refuse_during_maintenance()
        update = _read_update(event)
    except AccessDenied:
        count_outcome("telegram_update_refused")
        logger.warning("telegram_update_refused")
        return _Answer(HTTPStatus.UNAUTHORIZED, {"message": "unauthorized"})
    except ServiceUnavailable as error:
        return _Answer(HTTPStatus.SERVICE_UNAVAILABLE, {"message": str(error)})
    except RequestInvalid as error:
        return _Answer(HTTPStatus.BAD_REQUEST, {"message": str(error)})
    command = read_command(update)
    if command is None:
        logger.info("telegram_update_ignored")
    else:
        obey(command)
    return _Answer(HTTPStatus.OK, {})


def _check_secret(event: Mapping[str, Any]) -> None:
    """Raise AccessDenied for who is not Telegram; it takes the same time whatever was sent."""
    try:
        expected = read_parameter(settings().telegram_secret_parameter)
    except (BotoCoreError, ClientError) as error:
        logger.error("telegram_secret_unreadable", error=type(error).__name__)
        raise ServiceUnavailable("temporarily unavailable") from error
    headers = event.get("headers") or {}
    sent = next((str(value) for name, value in headers.items() if str(name).lower() == SECRET_HEADER), "")
    # Digests have one length, whatever was sent; an empty secret would let everybody in.
    if not hmac.compare_digest(_digest(sent), _digest(expected)) or not expected:
        raise AccessDenied("unauthorized", authenticated=False)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _read_update(event: Mapping[str, Any]) -> Any:
    body = event.get("body") or ""
    if len(body) > MAX_BYTES * 2:
        raise RequestInvalid("body is too long")
    try:
        raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else str(body).encode()
        if len(raw) > MAX_BYTES:
            raise RequestInvalid("body is too long")
        return json.loads(raw)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise RequestInvalid("body must be JSON") from error


def _method_of(event: Mapping[str, Any]) -> str:
    http = (event.get("requestContext") or {}).get("http") or {}
    return str(http.get("method") or event.get("httpMethod") or "")
