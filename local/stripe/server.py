"""The stand-in's HTTP server: checks the key, records requests, fails on demand. Stores no resource.

The pages of Checkout and of the billing portal need no key. Their forms answer with a redirect as in a browser, or with
JSON where the request accepts that.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from local.loopback.middleware import local_only
from local.stripe import API_KEY, checkout, portal
from local.stripe.api import Api
from local.stripe.form import read_form
from local.stripe.pages import checkout_page, portal_page
from local.stripe.refusals import Refused, Resource
from local.stripe.webhooks import Event, Webhooks

_MAX_STORED: Final = 1000
_FAILED: Final[dict[str, Any]] = {"error": {"type": "api_error", "message": "Something went wrong on our end."}}


class StripeStandIn:
    """One server: its account, the requests that it received, and its planned failures.

    Bodies of `/stand-in/subscriptions…` are JSON: the fields of the subscription, `at` (Stripe's time), and `send`:
    false to store the event for later, or the options of `Webhooks.send`.
    """

    def __init__(self, webhook_url: str = "") -> None:
        self._api = Api()
        self._webhooks = Webhooks(webhook_url)
        self._requests: list[dict[str, Any]] = []
        self._failures: list[dict[str, Any]] = []
        self._sending: set[asyncio.Task[Any]] = set()

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
                web.get(f"{checkout.PAGE_PATH}/{{id}}", self._show_checkout),
                web.post(f"{checkout.PAGE_PATH}/{{id}}", self._pay),
                web.get(f"{portal.PAGE_PATH}/{{id}}", self._show_portal),
                web.post(f"{portal.PAGE_PATH}/{{id}}", self._act_in_portal),
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
                event = self._api.subscriptions.create(wanted)
            elif request.method == "DELETE":
                event = self._api.subscriptions.cancel(subscription_id, wanted)
            elif request.path.endswith("/payment-failed"):
                event = self._api.subscriptions.fail_payment(subscription_id, wanted)
            else:
                event = self._api.subscriptions.update(subscription_id, wanted)
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
                body, replayed = self._run(request, form, key)
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

    def _run(self, request: web.Request, form: dict[str, Any], key: str | None) -> tuple[Resource, bool]:
        answer = self._api.answer(request.method, request.path, form, key=key, origin=str(request.url.origin()))
        # Stripe sends the events of a request on its own time.
        for event in self._api.take_events():
            self._webhooks.store(event)
            task = asyncio.get_running_loop().create_task(self._webhooks.send(event, {}))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return answer

    async def _show_checkout(self, request: web.Request) -> web.Response:
        await self._send_all(self._api.checkout.expire_overdue())
        try:
            return self._checkout_answer(request)
        except Refused as refused:
            return web.json_response(refused.body, status=refused.status)

    async def _pay(self, request: web.Request) -> web.Response:
        """Pay with the form's `card`, which is good unless it is `declined`; then the session stays open."""
        form = read_form(await request.text())
        session_id = request.match_info["id"]
        await self._send_all(self._api.checkout.expire_overdue())
        try:
            if form.get("card") == "declined":
                return self._checkout_answer(request, notice="Your card was declined.")
            session, events = self._api.checkout.pay(session_id)
        except Refused as refused:
            return web.json_response(refused.body, status=refused.status)
        deliveries = await self._send_all(events)
        if _wants_json(request):
            return web.json_response({"session": session, "deliveries": deliveries})
        raise web.HTTPSeeOther(session["success_url"].replace(checkout.SESSION_ID_PLACE, session_id))

    def _checkout_answer(self, request: web.Request, *, notice: str = "") -> web.Response:
        session = self._api.checkout.find(request.match_info["id"])
        price = self._api.checkout.price(session["id"])
        product_name = self._api.account.product(price["product"])["name"]
        return _html(checkout_page(session, price, product_name=product_name, notice=notice))

    async def _show_portal(self, request: web.Request) -> web.Response:
        try:
            session = self._api.portal.find(request.match_info["id"])
            subscriptions = self._api.portal.subscriptions_of(session["id"])
        except Refused as refused:
            return web.json_response(refused.body, status=refused.status)
        named = [(one, self._api.account.product(one["product"])["name"]) for one in self._api.account.prices.values()]
        return _html(portal_page(session, subscriptions, [pair for pair in named if pair[0]["recurring"]]))

    async def _act_in_portal(self, request: web.Request) -> web.Response:
        form = read_form(await request.text())
        try:
            events = self._api.portal.act(request.match_info["id"], form)
        except Refused as refused:
            return web.json_response(refused.body, status=refused.status)
        deliveries = await self._send_all(events)
        if _wants_json(request):
            return web.json_response({"events": events, "deliveries": deliveries})
        raise web.HTTPSeeOther(request.path)

    async def _send_all(self, events: list[Event]) -> list[dict[str, Any]]:
        for event in events:
            self._webhooks.store(event)
        return [delivery for event in events for delivery in await self._webhooks.send(event, {})]


def _wants_json(request: web.Request) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html")


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
