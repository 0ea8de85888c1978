"""The stand-in's HTTP server: checks the key, records requests, fails on demand. Stores no resource."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from local.loopback.middleware import local_only
from local.stripe import API_KEY
from local.stripe.account import Account
from local.stripe.form import read_form
from local.stripe.refusals import Refused
from local.stripe.subscriptions import Subscriptions
from local.stripe.webhooks import Event, Webhooks

_MAX_STORED: Final = 1000
_FAILED: Final[dict[str, Any]] = {"error": {"type": "api_error", "message": "Something went wrong on our end."}}


class StripeStandIn:
    """One server: its account, the requests that it received, and its planned failures.

    Bodies of `/stand-in/subscriptions…` are JSON: the fields of the subscription, `at` (Stripe's time), and `send`:
    false to store the event for later, or the options of `Webhooks.send`.
    """

    def __init__(self, webhook_url: str = "") -> None:
        self._account = Account.seeded()
        self._subscriptions = Subscriptions(self._account)
        self._webhooks = Webhooks(webhook_url)
        self._requests: list[dict[str, Any]] = []
        self._failures: list[dict[str, Any]] = []

    def app(self) -> web.Application:
        """Return the routes."""
        app = web.Application(middlewares=[local_only])
        app.add_routes(
            [
                web.get("/stand-in/requests", self._show_requests),
                web.delete("/stand-in/requests", self._clear_requests),
                web.post("/stand-in/failures", self._fail_next),
                web.post("/stand-in/subscriptions", self._change_subscription),
                web.post("/stand-in/subscriptions/{id}", self._change_subscription),
                web.delete("/stand-in/subscriptions/{id}", self._change_subscription),
                web.post("/stand-in/subscriptions/{id}/payment-failed", self._change_subscription),
                web.post("/stand-in/events", self._send_any),
                web.post("/stand-in/events/{id}/send", self._send_again),
                web.get("/stand-in/deliveries", self._show_deliveries),
                web.route("*", "/{path:.*}", self._answer),
            ]
        )
        return app

    async def _show_requests(self, _: web.Request) -> web.Response:
        return web.json_response(self._requests)

    async def _clear_requests(self, _: web.Request) -> web.Response:
        self._requests.clear()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _fail_next(self, request: web.Request) -> web.Response:
        """Make the next requests fail: `{"status": 500, "times": 2, "after": true}`; `after` carries them out first."""
        wanted = await request.json()
        failure = {"status": int(wanted.get("status", 500)), "after": bool(wanted.get("after", False))}
        self._failures = [failure] * int(wanted.get("times", 1))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _change_subscription(self, request: web.Request) -> web.Response:
        """Create, change or cancel a subscription, and send its event."""
        wanted = await _json(request)
        subscription_id = request.match_info.get("id", "")
        try:
            if not subscription_id:
                event = self._subscriptions.create(wanted)
            elif request.method == "DELETE":
                event = self._subscriptions.cancel(subscription_id, wanted)
            elif request.path.endswith("/payment-failed"):
                event = self._subscriptions.fail_payment(subscription_id, wanted)
            else:
                event = self._subscriptions.update(subscription_id, wanted)
        except Refused as refused:
            return web.json_response(refused.body, status=refused.status)
        return await self._send(event, wanted.get("send", {}))

    async def _send_any(self, request: web.Request) -> web.Response:
        """Send an event from the request: `{"event": {…}, "send": {…}}`."""
        wanted = await _json(request)
        return await self._send(wanted["event"], wanted.get("send", {}))

    async def _send_again(self, request: web.Request) -> web.Response:
        """Send a stored event, for the first time or again."""
        event = self._webhooks.events.get(request.match_info["id"])
        if event is None:
            return web.json_response({"error": {"message": "no such event"}}, status=HTTPStatus.NOT_FOUND)
        return await self._send(event, await _json(request))

    async def _send(self, event: Event, options: Any) -> web.Response:
        self._webhooks.store(event)
        deliveries = [] if options is False else await self._webhooks.send(event, options)
        return web.json_response({"event": event, "deliveries": deliveries})

    async def _show_deliveries(self, _: web.Request) -> web.Response:
        return web.json_response(self._webhooks.deliveries)

    async def _answer(self, request: web.Request) -> web.Response:
        text = await request.text()
        form = read_form(text or request.query_string)
        key = request.headers.get("Idempotency-Key")
        shown = {"method": request.method, "path": request.path, "form": form, "idempotencyKey": key}
        failure = self._failures.pop(0) if self._failures else None
        replayed = False
        try:
            _check_key(request.headers.get("Authorization", ""))
            if failure is None or failure["after"]:
                body, replayed = self._run(request.method, request.path, form, key)
                status = int(HTTPStatus.OK)
            if failure is not None:
                status, body = failure["status"], _FAILED
        except Refused as refused:
            status, body = refused.status, refused.body
        self._requests = [*self._requests[1 - _MAX_STORED :], {**shown, "status": status, "replayed": replayed}]
        headers = {"Request-Id": f"req_{secrets.token_hex(7)}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        if replayed:
            headers["Idempotent-Replayed"] = "true"
        return web.Response(status=status, text=json.dumps(body), content_type="application/json", headers=headers)

    def _run(self, method: str, path: str, form: dict[str, Any], key: str | None) -> tuple[dict[str, Any], bool]:
        account = self._account
        expand = form.get("expand", [])
        match [method, *path.strip("/").split("/")]:
            case ["POST", "v1", "products"]:
                made, replayed = account.idempotent(key, path, form, lambda: account.create_product(form))
            case ["POST", "v1", "prices"]:
                made, replayed = account.idempotent(key, path, form, lambda: account.create_price(form))
            case ["GET", "v1", "products", product_id]:
                made, replayed = account.product(product_id), False
            case ["GET", "v1", "prices", price_id]:
                made, replayed = account.price(price_id), False
            case _:
                message = f"Unrecognized request URL ({method}: {path})."
                raise Refused(404, "invalid_request_error", message)
        return account.expanded(made, expand), replayed


async def _json(request: web.Request) -> dict[str, Any]:
    return dict(await request.json()) if request.can_read_body else {}


def _check_key(authorization: str) -> None:
    scheme, _, value = authorization.partition(" ")
    if scheme == "Basic":
        try:
            value = base64.b64decode(value).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    if not value:
        raise Refused(401, "invalid_request_error", "You did not provide an API key.")
    if not secrets.compare_digest(value.encode(), API_KEY.encode()):
        raise Refused(401, "invalid_request_error", f"Invalid API Key provided: {value[:3]}****")
