"""How system tests talk to the stack: plain HTTP for what users reach, boto3 for what operators reach."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer

from local.stack.deploy import ALIAS, client
from local.stack.places import STACK_NAME
from local.stack.running import Running
from shared.clock import from_iso, utc_now
from shared.models.base import in_chunks
from shared.trading.ids import execution_id
from shared.trading.lane_choice import FIRST_LANE

T = TypeVar("T")

_THROTTLED_S = 20
_LITTLE_WEIGHT = 600
"""Of 2,400 a minute: what one test of the stack uses fits in beside it."""
_MINUTE = timedelta(minutes=1)
_DESERIALIZER = TypeDeserializer()
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the stack was told in confidence, and all that it answered: the one must not be in the other."""

    secrets: set[str] = field(default_factory=set)
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    """With method and path of the request."""


@dataclass(frozen=True, slots=True)
class FollowedStrategy:
    """A strategy with followers of its own, so that tests do not meet in one account."""

    stack: Stack
    strategy_id: str
    webhook_secret: str
    followers: list[dict[str, Any]]
    chat_id: str = ""
    """The Telegram chat of the first follower's user, where it is known."""

    def alert(self, **fields: Any) -> dict[str, Any]:
        """Return an alert's body: a BUY at 20000 with a stop at 19700 and three take-profits, changed by `fields`."""
        body = {
            "strategy": self.strategy_id,
            "secret": self.webhook_secret,
            "orderPrice": "20000",
            "type": "buy",
            "stop": "19700",
            "stopType": "Market",
            "takeProfit": "NaN",
            "takeProfitPrice1": "20300",
            "takeProfitPrice2": "20600",
            "takeProfitPrice3": "21000",
            "winRate": "49.55",
        }
        return body | fields

    def fire(self, **fields: Any) -> str:
        """Send an alert that is accepted, and return the trigger's id."""
        answer = self.stack.webhook(self.alert(**fields))
        assert answer.status == 200, answer.text
        trigger_id: str = answer.json()["id"]
        return trigger_id

    def trigger(self, trigger_id: str) -> dict[str, Any]:
        """Return a trigger with its histories, as the admin API shows it."""
        shown = self.stack.get(f"/v1/admin/strategy/trigger/history/{self.strategy_id}").json()
        found = [one for one in shown["StrategyAutomatedTriggers"]["items"] if one["id"] == trigger_id]
        assert len(found) == 1, f"trigger {trigger_id} is shown {len(found)} times"
        trigger: dict[str, Any] = found[0]
        return trigger

    def executions(self, trigger_id: str) -> list[dict[str, Any]]:
        """Return the followers' executions of a trigger as they lie in the table, in the followers' order."""
        ids = [execution_id(trigger_id, follower["id"]) for follower in self.followers]
        found: dict[str, dict[str, Any]] = {}
        table = f"{STACK_NAME}-executions"
        for chunk in in_chunks(ids, 100):
            keys = [{"id": {"S": one}} for one in chunk]
            answer = client("dynamodb", self.stack.running.places).batch_get_item(
                RequestItems={table: {"Keys": keys, "ConsistentRead": True}}
            )
            for item in answer["Responses"][table]:
                plain = {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}
                found[plain["id"]] = plain
        return [found[one] for one in ids if one in found]

    def wait_until_all(self, trigger_id: str, state: str, *, timeout_s: float = 60) -> list[dict[str, Any]]:
        """Return the executions once every follower's is in the state."""

        def look() -> list[dict[str, Any]] | None:
            executions = self.executions(trigger_id)
            reached = [one for one in executions if one["state"] == state]
            return executions if len(reached) == len(self.followers) else None

        try:
            return wait_for(f"every follower {state}", look, timeout_s=timeout_s)
        except AssertionError as error:
            states = [(one["state"], one.get("reason"), one.get("detail")) for one in self.executions(trigger_id)]
            raise AssertionError(f"{error}: {states}") from None

    def accounts(self) -> list[dict[str, Any]]:
        """Return the followers' accounts as the paper exchange knows them."""
        return [self.stack.account(follower["api_key"]) for follower in self.followers]


@dataclass(frozen=True, slots=True)
class Stack:
    """The stack of this test session."""

    running: Running
    session: dict[str, str]
    heard: Heard = field(default_factory=Heard, repr=False)

    def subject(self, token: str) -> str:
        """Return whose token one of the session's is, by its name: the user's id."""
        claims = self.session[token].split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"])

    def get(self, path: str, *, token: str | None = "") -> Answer:
        """GET from the admin API; as the admin unless another token, or None for none, is given."""
        return self.api("GET", path, token=token)

    def api(
        self, method: str, path: str, *, token: str | None = "", body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Call the admin API."""
        headers = dict(headers or {})
        if token is not None:
            headers["Authorization"] = token or self.session["adminToken"]
        deadline = time.monotonic() + _THROTTLED_S
        answer = self.request(method, self.session["api"] + path, headers, body)
        while answer.status == HTTPStatus.TOO_MANY_REQUESTS and time.monotonic() < deadline:
            # The gateway's throttle is true to AWS; no test asks faster to see it.
            time.sleep(0.05)
            answer = self.request(method, self.session["api"] + path, headers, body)
        return self._heard(f"{method} {path}", answer)

    def webhook(self, body: Any, *, content_type: str = "application/json") -> Answer:
        """POST to the webhook as TradingView does."""
        url = self.session["webhook"] + "/v1/webhook/strategy"
        headers = {"Content-Type": content_type}
        return self._heard("POST /v1/webhook/strategy", self.request("POST", url, headers, body))

    def paper(self, method: str, path: str, body: Any = None) -> Any:
        """Use the paper exchange's control interface."""
        answer = self.request(method, f"{self.session['exchange']}/paper/{path}", {}, body)
        assert answer.status < 300, answer.text
        return answer.json() if answer.text else None

    def account(self, api_key: str) -> dict[str, Any]:
        """Return an account of the paper exchange."""
        account: dict[str, Any] = self.paper("GET", f"accounts/{api_key}")
        return account

    def move_price(self, symbol: str, price: str) -> None:
        """Move the market, `BTCUSDT`; what that fills is filled when this returns."""
        self.paper("PUT", f"prices/{symbol}", {"price": price})

    def invoke(self, logical_id: str, event: Any) -> Any:
        """Invoke a deployed function through the Lambda API and return its answer; a failed function fails the test."""
        found = client("cloudformation", self.running.places).describe_stack_resource(
            StackName=STACK_NAME, LogicalResourceId=logical_id
        )
        answer = client("lambda", self.running.places).invoke(
            FunctionName=found["StackResourceDetail"]["PhysicalResourceId"],
            Qualifier=ALIAS,
            Payload=json.dumps(event).encode(),
        )
        text = answer["Payload"].read().decode()
        assert "FunctionError" not in answer, text
        return json.loads(text) if text else None

    def watch(self) -> None:
        """Let the watcher run now, as its schedule does every minute."""
        self.invoke("PositionWatcher", {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})

    def maintenance(self, value: str) -> None:
        """Flip the operator's switch, "on" or "off"."""
        name = self.running.deployed.outputs["MaintenanceParameterName"]
        client("ssm", self.running.places).put_parameter(Name=name, Value=value, Type="String", Overwrite=True)

    def wait_for_weight(self) -> None:
        """Wait until the first lane has used little of its minute at the exchange.

        Other tests of the stack use it too. Where it is short, what is not urgent stands back: connecting a key is
        refused for the moment, and bookings wait for the next minute.
        """

        def little_is_used() -> bool:
            answer = client("dynamodb", self.running.places).get_item(
                TableName="lockstep-egress_lanes", Key={"lane": {"S": FIRST_LANE}}
            )
            lane = answer.get("Item", {})
            age = utc_now() - from_iso(lane["minute"]["S"]) if "minute" in lane else timedelta.max
            # What killed workers hold counts in the minute after as well.
            counted = ("used_weight", "held_weight", "held_before") if age < _MINUTE else ("held_weight",)
            return age >= 2 * _MINUTE or sum(int(lane[name]["N"]) for name in counted if name in lane) < _LITTLE_WEIGHT

        wait_for("a minute with weight left", little_is_used, timeout_s=150)

    def add_strategy(self, name: str, *, followers: int, symbol: str = "BTC/USDT") -> FollowedStrategy:
        """Return a new strategy with followers whose accounts are empty of positions."""
        seeded = self.running.add_strategy(name, symbol, followers)
        self.heard.secrets.update([seeded["webhook_secret"], *(one["api_secret"] for one in seeded["followers"])])
        return FollowedStrategy(
            self, seeded["strategy_id"], seeded["webhook_secret"], seeded["followers"], seeded["chat_id"]
        )

    def _heard(self, request: str, answer: Answer) -> Answer:
        self.heard.answers.append((request, answer))
        return answer

    @staticmethod
    def request(method: str, url: str, headers: dict[str, str], body: Any = None) -> Answer:
        """Send a request; text and bytes go as they are, everything else as JSON."""
        if body is not None and not isinstance(body, (str, bytes)):
            headers = {"Content-Type": "application/json"} | headers
            body = json.dumps(body)
        data = body.encode() if isinstance(body, str) else body
        request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 - our own stack
        try:
            with _OPENER.open(request, timeout=30) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read().decode())


def wait_for(what: str, look: Callable[[], T | None], *, timeout_s: float = 60) -> T:
    """Return what `look` finds, once it finds something; fail with `what` when the time is over."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(0.1)
