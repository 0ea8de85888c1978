"""Tries a deployed stack from outside, as `make deploy` does at its end: `make smoke STAGE=prod`, or without a stage.

Each API answers, each lane's executor reaches the exchange, and an alert goes its way to a strategy made for it.
On AWS nobody follows that strategy, and it is deleted afterwards. On the stack of `make run` a paper account does: its
position is protected, closed, and the strategy switched off. A run leaves nothing that trades, and can be repeated.

ADMIN_TOKEN and USER_TOKEN are id tokens. Without them, the APIs are asked for what they answer without a token.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from local.deployment.account import OpenedStack, open_stack
from local.deployment.command import exit_status_of
from local.deployment.edge import headers_as_edge, is_closed_to_operators
from local.deployment.restored_tables import VARIABLE, as_variable, read_restored
from local.stack.deploy import ALIAS, find, read_template
from local.stack.lanes import FIRST_LANE, lanes_of, stack_of
from local.stack.places import NotReady, Places
from local.stack.processes import run_tool
from local.stack.stacks import describe, outputs_of
from shared.clock import to_iso
from shared.models.base import SCHEMA_VERSION
from shared.trading.ids import execution_id

SYMBOL = "BTC/USDT"
MAX_OFFSET_MS = 1000
"""The exchange refuses requests of clocks that are further from its own."""

_TIMEOUT_S = 30
_ALERT_S = 120

NOBODY = "00000000-0000-4000-8000-000000000000"
"""An id that no record has."""

READS = {
    "AdminUserExpressJSv1": ("admin", "/v1/admin/account/user/list", 200),
    "AdminExchangeExpressJSv1": ("admin", f"/v1/admin/exchange/key/balance/{NOBODY}", 404),
    "AdminStrategyFollowerExpressJSv1": ("admin", f"/v1/admin/strategy/follower/{NOBODY}/list", 404),
    "AdminStrategyExpressJSv1": ("admin", f"/v1/admin/strategy/trigger/history/{NOBODY}", 404),
    "AdminSettingStrategyExpressJSv1": ("admin", "/v1/admin/setting/strategy/list", 200),
    "AdminSubscriptionExpressJSv1": ("admin", "/v1/admin/subscription/list", 200),
    "AdminSettingNotificationExpressJSv1": ("admin", "/v1/admin/setting/notification", 200),
    "AdminOperationExpressJSv1": ("admin", "/v1/admin/operation/overview", 200),
    "UserExpressJSv1": ("user", "/v1/account/user", 200),
    "ExchangeExpressJSv1": ("user", "/v1/exchange/key/list", 200),
    "StrategyExpressJSv1": ("user", "/v1/strategy/list", 200),
    "StrategyFollowerExpressJSv1": ("user", "/v1/strategy/follower/list", 200),
    "SubscriptionExpressJSv1": ("user", "/v1/subscription/list", 200),
}
"""A read of each function behind the APIs: whose token, the path, and the status of the answer."""


class Wrong(Exception):
    """A check failed; the text says what was seen."""


@dataclass(slots=True)
class Smoke:
    """A run over one stack, and what it has found so far."""

    opened: OpenedStack
    environment: Mapping[str, str]
    write: Callable[[str], object] = print
    failed: int = 0
    outputs: dict[str, str] = field(default_factory=dict)
    restored: dict[str, str] = field(default_factory=dict)

    def run(self) -> int:
        """Try everything, whatever fails in between; return the exit status."""
        cloudformation = self.opened.client("cloudformation")
        self.outputs = outputs_of(describe(cloudformation, self.opened.stack_name))
        self.restored = read_restored(read_template(), self.opened.stack_name, cloudformation)
        for function, (whose, path, status) in READS.items():
            with self._check(f"GET {path}"):
                self._read(function, whose, path, status)
        lanes = [FIRST_LANE, *lanes_of(self.opened.stack_name, cloudformation)]
        for lane in lanes:
            with self._check(f"the exchange's time from {lane}"):
                self._ask_exchange(lane)
        with self._check("an alert"):
            if self.opened.session is None:
                self._alert_without_followers()
            else:
                self._alert_with_paper_follower(self.opened.session)
        self.write(f"{self.failed} failed" if self.failed else "all well")
        return 1 if self.failed else 0

    @contextmanager
    def _check(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        except (Wrong, OSError, BotoCoreError, ClientError, NotReady) as error:
            self.failed += 1
            self.write(f"FAILED  {what}: {error}")
        else:
            self.write(f"ok      {what} ({time.monotonic() - started:.1f} s)")

    # -- the APIs --------------------------------------------------------------------------------------------------

    def _read(self, function: str, whose: str, path: str, status: int) -> None:
        token = self._token(whose)
        answer = self._get(path, token)
        if token:
            if answer != status:
                raise Wrong(f"answered {answer}, not {status}")
            return
        if answer != 401:  # noqa: PLR2004 - the documented answer without a token
            raise Wrong(f"answered {answer} without a token, not 401")
        # The gateway refused it: whether the function behind it starts is asked apart.
        found = self._invoke(self.opened.stack_name, function, _event(path="/no/such/route"))
        if found.get("statusCode") != 404:  # noqa: PLR2004 - the documented answer
            raise Wrong(f"{function} answered {found}")

    def _token(self, whose: str) -> str:
        if self.opened.session is not None:
            return str(self.opened.session[f"{whose}Token"])
        return self.environment.get(f"{whose.upper()}_TOKEN", "")

    def _get(self, path: str, token: str) -> int:
        base = self.opened.session["api"] if self.opened.session is not None else self.outputs["ApiUrl"].rstrip("/")
        status, _ = _request("GET", base + path, headers={"Authorization": token} if token else {})
        return status

    # -- the exchange ----------------------------------------------------------------------------------------------

    def _ask_exchange(self, lane: str) -> None:
        main = self.opened.stack_name
        stack = main if lane == FIRST_LANE else stack_of(main, lane)
        answer = self._invoke(stack, "OrderExecutor", {"check": "exchange"})
        if answer.get("lane") != lane or not isinstance(answer.get("clock_offset_ms"), int):
            raise Wrong(f"the executor answered {answer}")
        if abs(answer["clock_offset_ms"]) > MAX_OFFSET_MS:
            raise Wrong(f"the exchange's clock differs by {answer['clock_offset_ms']} ms")

    def _invoke(self, stack: str, logical_id: str, event: Any) -> dict[str, Any]:
        found = self.opened.client("cloudformation").describe_stack_resource(
            StackName=stack, LogicalResourceId=logical_id
        )
        answer = self.opened.client("lambda").invoke(
            FunctionName=found["StackResourceDetail"]["PhysicalResourceId"],
            Qualifier=ALIAS,
            Payload=json.dumps(event).encode(),
        )
        text = answer["Payload"].read().decode()
        if "FunctionError" in answer:
            raise Wrong(f"{logical_id} failed: {text[:300]}")
        return dict(json.loads(text))

    # -- an alert --------------------------------------------------------------------------------------------------

    def _alert_without_followers(self) -> None:
        strategy_id, secret, now = str(uuid4()), secrets.token_urlsafe(32), to_iso(datetime.now(UTC))
        key = {"id": {"S": strategy_id}}
        dynamodb, table = self.opened.client("dynamodb"), self._table("strategies")
        item = {
            **key,
            # Not the partition that lists strategies, so that nobody finds it to follow.
            "listed": {"S": "SMOKE"},
            "created_key": {"S": f"{now}#{strategy_id}"},
            "active": {"BOOL": True},
            "name": {"S": "Smoke test"},
            "exchange_id": {"S": "BINANCE"},
            "symbol": {"S": SYMBOL},
            "report_api_key": {"S": "none"},
            "report_secret_ciphertext": {"B": b"none"},
            "webhook_secret_hash": {"S": hashlib.sha256(secret.encode()).hexdigest()},
            "created_at": {"S": now},
            "updated_at": {"S": now},
            "schema_version": {"N": str(SCHEMA_VERSION)},
        }
        try:
            dynamodb.put_item(TableName=table, Item=item)
            trigger_id = self._fire(strategy_id, secret, price=Decimal(20000))
            self._wait_for_fanout(trigger_id)
        finally:
            dynamodb.delete_item(TableName=table, Key=key)

    def _webhook(self) -> tuple[str, Mapping[str, str]]:
        """Return the webhook's address, and the headers that it needs."""
        stage = self.opened.stage
        if self.opened.session is not None:
            return f"{self.opened.session['webhook']}/v1/webhook/strategy", {}
        if stage is not None and is_closed_to_operators(stage):
            url = f"{self.outputs['StrategyFunctionUrl']}v1/webhook/strategy"
            return url, headers_as_edge(stage, self.opened.client("ssm"))
        shown = stage.parameter("PublicWebhookUrl") if stage is not None else ""
        return shown or self.outputs["WebhookUrl"], {}

    def _fire(self, strategy_id: str, secret: str, *, price: Decimal) -> str:
        body = {
            "strategy": strategy_id,
            "secret": secret,
            "orderPrice": f"{price:.1f}",
            "type": "buy",
            "stop": f"{price * Decimal('0.985'):.1f}",
            "stopType": "Market",
            "takeProfit": "NaN",
            "takeProfitPrice1": f"{price * Decimal('1.015'):.1f}",
            "takeProfitPrice2": "NaN",
            "takeProfitPrice3": "NaN",
        }
        url, headers = self._webhook()
        status, text = _request("POST", url, headers=headers, body=body)
        if status != 200:  # noqa: PLR2004 - the documented answer
            raise Wrong(f"the webhook answered {status}: {text[:300]}")
        return str(json.loads(text)["id"])

    def _wait_for_fanout(self, trigger_id: str) -> None:
        def state() -> str:
            return self._field("triggers", trigger_id, "fanout_state")

        _wait("the fan-out", state, "DONE")

    def _alert_with_paper_follower(self, session: Mapping[str, Any]) -> None:
        places = Places.of(session)
        seeded = _seed(places, self.restored)
        strategy_id, follower = seeded["strategy_id"], seeded["followers"][0]
        dynamodb, table = self.opened.client("dynamodb"), self._table("strategies")
        try:
            price = _market_price(session)
            trigger_id = self._fire(strategy_id, seeded["webhook_secret"], price=price)
            execution = execution_id(trigger_id, follower["id"])

            def state() -> str:
                return self._field("executions", execution, "state")

            _wait("the follower", state, "PROTECTED")
            url = f"{session['api']}/v1/admin/strategy/follower/{strategy_id}/all"
            status, text = _request("DELETE", url, headers={"Authorization": str(session["adminToken"])})
            if status != 200:  # noqa: PLR2004 - the documented answer
                raise Wrong(f"closing answered {status}: {text[:300]}")
            _wait("the follower", state, "CLOSED")
        finally:
            dynamodb.update_item(
                TableName=table,
                Key={"id": {"S": strategy_id}},
                UpdateExpression="SET active = :off",
                ExpressionAttributeValues={":off": {"BOOL": False}},
            )

    def _table(self, noun: str) -> str:
        return self.restored.get(noun, f"{self.outputs['TablePrefix']}{noun}")

    def _field(self, noun: str, record_id: str, name: str) -> str:
        found = self.opened.client("dynamodb").get_item(
            TableName=self._table(noun), Key={"id": {"S": record_id}}, ConsistentRead=True
        )
        return str(found.get("Item", {}).get(name, {}).get("S", "nothing yet"))


def _wait(who: str, state: Callable[[], str], wanted: str) -> None:
    ends_at_s = time.monotonic() + _ALERT_S
    while (seen := state()) != wanted:
        if seen in {"DENIED", "REJECTED", "FAILED"} or time.monotonic() > ends_at_s:
            raise Wrong(f"{who} is {seen}, not {wanted}")
        time.sleep(0.5)


def _event(path: str) -> dict[str, Any]:
    return {
        "httpMethod": "GET",
        "path": path,
        "resource": path,
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"requestId": "smoke", "httpMethod": "GET", "path": path, "stage": "live"},
        "body": None,
        "isBase64Encoded": False,
    }


def _request(method: str, url: str, *, headers: Mapping[str, str] | None = None, body: Any = None) -> tuple[int, str]:
    """Return the status and the text of an answer, whatever the status; raise OSError where none comes."""
    request = urllib.request.Request(  # noqa: S310 - the stack's own address
        url,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Content-Type": "application/json", **(headers or {})},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the stack's own address
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def _market_price(session: Mapping[str, Any]) -> Decimal:
    symbol = SYMBOL.replace("/", "")
    _, text = _request("GET", f"{session['exchange']}/fapi/v1/ticker/price?symbol={symbol}")
    return Decimal(str(json.loads(text)["price"]))


def _seed(places: Places, restored: Mapping[str, str]) -> dict[str, Any]:
    """Make a strategy with one follower, whose account is at the paper exchange; return what `local.seed` wrote."""
    deployed = find(places)
    if deployed is None:
        raise NotReady("the stack is not deployed")
    name = f"Smoke-{uuid4().hex[:8]}"
    file: Path = places.work / f"seed-{name}.json"
    try:
        run_tool(
            "Seeding",
            [
                *(sys.executable, "-m", "local.seed", str(file)),
                *("--add", name, "--symbol", SYMBOL, "--followers", "1"),
            ],
            environment={**deployed.environment(places), VARIABLE: as_variable(restored)},
            log=places.logs / "seed-smoke.log",
        )
        return dict(json.loads(file.read_text(encoding="utf-8")))
    finally:
        file.unlink(missing_ok=True)


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Try the stage that is named, or the stack of `make run`, and return the exit status."""
    return exit_status_of(lambda: Smoke(open_stack(arguments, environment), environment).run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
