"""Lambda behind the bot's public Function URL: HTTP in, HTTP out. Only requests with the secret do anything."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from functions.telegram_webhook.schemas import read_command
from functions.telegram_webhook.service import handle_command
from shared.api.events import header_of, raw_body_of, route_of
from shared.api.function_url import NOT_FOUND, Answer, answer_request
from shared.api.maintenance import refuse_during_maintenance
from shared.config import settings
from shared.errors import AccessDenied, RequestInvalid, ServiceUnavailable
from shared.observability import count_outcome, logger
from shared.secrets import read_parameter

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

SECRET_HEADER: Final = "x-telegram-bot-api-secret-token"  # noqa: S105 - a header's name

MAX_BYTES: Final = 64 * 1024
"""Far above any update that holds a command."""


def lambda_handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP request. Telegram repeats what is not answered with 200, for a day."""
    return answer_request(event, context, _answer, failure="telegram_update_failed")


def _answer(event: Mapping[str, Any]) -> Answer:
    method, _ = route_of(event)
    if method != "POST":
        return NOT_FOUND
    try:
        _check_secret(event)
        refuse_during_maintenance()
        update = _read_update(event)
    except AccessDenied:
        count_outcome("telegram_update_refused")
        logger.warning("telegram_update_refused")
        return Answer(401, {"message": "unauthorized"})
    except ServiceUnavailable as error:
        return Answer(503, {"message": str(error)})
    except RequestInvalid as error:
        return Answer(400, {"message": str(error)})
    command = read_command(update)
    if command is None:
        logger.info("telegram_update_ignored")
    else:
        handle_command(command)
    return Answer(200, {})


def _check_secret(event: Mapping[str, Any]) -> None:
    """Raise AccessDenied unless the request has Telegram's secret, in a time that does not depend on it."""
    try:
        expected = read_parameter(settings().telegram_secret_parameter)
    except (BotoCoreError, ClientError) as error:
        logger.error("telegram_secret_unreadable", error=type(error).__name__)
        raise ServiceUnavailable("temporarily unavailable") from error
    sent = header_of(event, SECRET_HEADER) or ""
    # Digests have one length, whatever was sent; an empty secret would let everybody in.
    if not hmac.compare_digest(_digest(sent), _digest(expected)) or not expected:
        raise AccessDenied("unauthorized", authenticated=False)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _read_update(event: Mapping[str, Any]) -> Any:
    raw = raw_body_of(event, max_bytes=MAX_BYTES)
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RequestInvalid("body must be JSON") from error
