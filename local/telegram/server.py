"""The stand-in's HTTP server: the bot's methods, its webhook, and the tests' controls. Checks no message."""

from __future__ import annotations

import secrets
import time
from http import HTTPStatus
from itertools import count
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from local.loopback.middleware import local_only
from local.telegram import BOT_NAME, BOT_TOKEN
from local.telegram.chats import Chats, Refused

_MAX_STORED: Final = 1000
_DELIVERY_TIMEOUT_S: Final = 30
_DELIVERIES: Final = 3
"""An update that the webhook did not accept is sent again; Telegram does so for a day."""

_ME: Final = {"id": 1234567890, "is_bot": True, "first_name": "Lockstep", "username": BOT_NAME}


class TelegramStandIn:
    """One bot: its chats, its webhook, its requests, and the planned failures."""

    def __init__(self) -> None:
        self._chats = Chats()
        self._requests: list[dict[str, Any]] = []
        self._failures: list[dict[str, Any]] = []
        self._webhook = {"url": "", "secret_token": ""}
        self._allowed_updates: set[str] = set()
        self._updates = count(secrets.randbelow(10**8) + 1)

    def app(self) -> web.Application:
        """Return the routes."""
        app = web.Application(middlewares=[local_only])
        app.add_routes(
            [
                web.get("/stand-in/messages", self._show_messages),
                web.delete("/stand-in/messages", self._clear_messages),
                web.get("/stand-in/requests", self._show_requests),
                web.post("/stand-in/failures", self._fail_next),
                web.post("/stand-in/blocked", self._block),
                web.post("/stand-in/updates", self._deliver_update),
                web.route("*", "/bot{token}/{method}", self._answer),
            ]
        )
        return app

    async def _show_messages(self, request: web.Request) -> web.Response:
        """Return the bot's messages, oldest first; `?chatId=` selects one chat's."""
        chat_id = request.query.get("chatId")
        return web.json_response([one for one in self._chats.messages if chat_id in {None, one["chatId"]}])

    async def _clear_messages(self, _: web.Request) -> web.Response:
        self._chats.messages = []
        self._requests.clear()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _show_requests(self, _: web.Request) -> web.Response:
        return web.json_response(self._requests)

    async def _fail_next(self, request: web.Request) -> web.Response:
        """Make the next messages fail: `{"status": 429, "retryAfter": 3, "times": 1}`.

        With `"kind": "drop_before"` or `"drop_after"` the connection is closed instead, before or after the message is
        stored. With `"chatId"` only that chat's messages fail.
        """
        wanted = await request.json()
        self._failures = [wanted] * int(wanted.get("times", 1))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _block(self, request: web.Request) -> web.Response:
        """Block or unblock the bot in a chat: `{"chatId": "42", "blocked": true}`."""
        wanted = await request.json()
        change = self._chats.blocked.add if wanted.get("blocked", True) else self._chats.blocked.discard
        change(str(wanted["chatId"]))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _deliver_update(self, request: web.Request) -> web.Response:
        """Send the webhook a person's message, `{"chatId": "42", "text": "/status"}`, or a whole `"update"`.

        `"content"` replaces the text (`{"voice": {…}}`), `"kind"` is the update's (`"edited_message"`), and
        `"bot": true` makes the sender another bot. `"secret"` replaces the header that was set with the webhook. The
        answer has the webhook's last status: 0 if it did not answer, null if it does not subscribe to such updates.
        """
        wanted = await request.json()
        update = wanted.get("update") or self._update(wanted)
        headers = {"X-Telegram-Bot-Api-Secret-Token": wanted.get("secret", self._webhook["secret_token"])}
        if not self._webhook["url"]:
            return web.json_response({"message": "no webhook is set"}, status=HTTPStatus.CONFLICT)
        if self._allowed_updates and not update.keys() & self._allowed_updates:
            return web.json_response({"status": None, "update": update})
        status = 0
        for _ in range(_DELIVERIES):
            status = await _deliver(self._webhook["url"], update, headers)
            if 0 < status < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
        return web.json_response({"status": status, "update": update})

    def _update(self, wanted: dict[str, Any]) -> dict[str, Any]:
        person = {"id": int(wanted["chatId"]), "first_name": "Somebody"}
        return {
            "update_id": next(self._updates),
            str(wanted.get("kind", "message")): {
                "message_id": 1,
                "date": int(time.time()),
                "chat": {**person, "type": "private"},
                "from": {**person, "is_bot": bool(wanted.get("bot", False))},
                **(wanted.get("content") or {"text": str(wanted["text"])}),
            },
        }

    async def _answer(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        form = await _read(request)
        if not secrets.compare_digest(request.match_info["token"].encode(), BOT_TOKEN.encode()):
            return _refusal(Refused(HTTPStatus.UNAUTHORIZED, "Unauthorized"))
        failure = self._next_failure(method, form)
        if failure.get("kind") == "drop_before":
            self._record(method, form, 0)
            return _cut(request)
        try:
            if "status" in failure:
                raise _refused(failure)
            result = self._run(method, form)
        except Refused as refused:
            self._record(method, form, refused.status)
            return _refusal(refused)
        self._record(method, form, int(HTTPStatus.OK))
        if failure.get("kind") == "drop_after":
            return _cut(request)
        return web.json_response({"ok": True, "result": result})

    def _next_failure(self, method: str, form: dict[str, Any]) -> dict[str, Any]:
        if method == "sendMessage" and self._failures:
            chat_id = self._failures[0].get("chatId")
            if chat_id is None or str(chat_id) == str(form.get("chat_id")):
                return self._failures.pop(0)
        return {}

    def _run(self, method: str, form: dict[str, Any]) -> Any:
        match method:
            case "sendMessage":
                return self._chats.send(form)
            case "getMe":
                return _ME
            case "setWebhook":
                self._webhook = {name: str(form.get(name) or "") for name in self._webhook}
                self._allowed_updates = set(form.get("allowed_updates") or ())
                return True
            case "deleteWebhook":
                self._webhook = dict.fromkeys(self._webhook, "")
                return True
            case "getWebhookInfo":
                return {"url": self._webhook["url"], "has_custom_certificate": False, "pending_update_count": 0}
            case _:
                raise Refused(HTTPStatus.NOT_FOUND, "Not Found")

    def _record(self, method: str, form: dict[str, Any], status: int) -> None:
        shown = {name: value for name, value in form.items() if name != "secret_token"}
        self._requests = [*self._requests[1 - _MAX_STORED :], {"method": method, "form": shown, "status": status}]


async def _deliver(url: str, update: Any, headers: dict[str, str]) -> int:
    """Return the webhook's status, 0 if it did not answer."""
    try:
        async with (
            ClientSession(timeout=ClientTimeout(_DELIVERY_TIMEOUT_S)) as session,
            session.post(url, json=update, headers=headers) as answer,
        ):
            return answer.status
    except (ClientError, TimeoutError):
        return 0


async def _read(request: web.Request) -> dict[str, Any]:
    if request.content_type == "application/json":
        body = await request.json()
        return body if isinstance(body, dict) else {}
    return {**request.query, **(await request.post())}


def _refused(failure: dict[str, Any]) -> Refused:
    status = int(failure["status"])
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        seconds = int(failure.get("retryAfter", 1))
        return Refused(status, f"Too Many Requests: retry after {seconds}", retry_after_s=seconds)
    return Refused(status, HTTPStatus(status).phrase)


def _refusal(refused: Refused) -> web.Response:
    body: dict[str, Any] = {"ok": False, "error_code": refused.status, "description": refused.description}
    if refused.retry_after_s is not None:
        body["parameters"] = {"retry_after": refused.retry_after_s}
    return web.json_response(body, status=refused.status)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response()
