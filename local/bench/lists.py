"""Counts what one page of each list costs, with little data and with a lot: it must be the same. Times nothing.

Calls the functions' handlers in this process on an embedded AWS of its own. The embedded AWS searches its indexes item
by item, so its times say nothing about DynamoDB's. Counted are requests and items read, which DynamoDB charges for.
"""

from __future__ import annotations

import base64
import http
import http.client
import importlib
import json
import os
import pkgutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import chain, islice
from typing import Any, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import shared.models
from local.bench import rows
from local.invoke import Context
from local.stack import embedded_aws
from local.stack.deploy import client
from local.stack.places import REGION, NotReady, Places, Ports, aws_environment
from shared import process_state
from shared.api import admin_standing
from shared.models.base import Table, connection
from shared.observability import logger
from shared.user_pool import AdminStanding

for _module in pkgutil.iter_modules(shared.models.__path__):
    importlib.import_module(f"shared.models.{_module.name}")

ADMIN_POOL: Final = "us-east-1_ADMINS"
USER_POOL: Final = "us-east-1_USERS"
CLIENT_ID: Final = "lists"
_BATCH: Final = 25
_CHUNK: Final = 4_000
_SENDERS: Final = 3
_READ_TIMEOUT_S: Final = 120


@dataclass(frozen=True, slots=True)
class Size:
    """An amount of data."""

    users: int
    strategies: int
    keys: int
    executions: int

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, one.name):,} {one.name}" for one in fields(self))


LITTLE: Final = Size(users=10, strategies=10, keys=20, executions=200)
MUCH: Final = Size(users=100_000, strategies=10_000, keys=20_000, executions=200_000)
NOTHING: Final = Size(users=0, strategies=0, keys=0, executions=0)


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one page."""

    requests: int
    items: int
    shown: int
    """Items on the page."""

    def __str__(self) -> str:
        return f"{self.requests} requests, {self.items} items read"


_ADMIN: Final = {"sub": "admin", "cognito:username": "admin", "cognito:groups": "admin", "auth_time": "1767225600"}


@dataclass(frozen=True, slots=True)
class MeasuredList:
    """A list endpoint whose data grows."""

    title: str
    function: str
    path: str
    limit: int | None = 4
    user: str | None = None
    """Who asks: a user of the Account API, or None for an admin."""

    @property
    def claims(self) -> dict[str, str]:
        """The claims of who asks."""
        pool = ADMIN_POOL if self.user is None else USER_POOL
        who = _ADMIN if self.user is None else {"sub": self.user}
        return {"iss": f"https://cognito-idp.{REGION}.amazonaws.com/{pool}", "aud": CLIENT_ID, "token_use": "id"} | who


LISTS: Final = (
    MeasuredList("List Users", "admin_user", "account/user/list"),
    MeasuredList("List Exchange Keys", "admin_user", f"account/user/exchange/key/{rows.USER}/list"),
    MeasuredList(
        "List Strategy Automated History", "admin_user", f"account/user/trade/strategy/{rows.USER}/history", None
    ),
    MeasuredList("List Manual Trading History", "admin_user", f"account/user/trade/manual/{rows.USER}/history", None),
    MeasuredList("List Followers", "admin_strategy_follower", f"strategy/follower/{rows.STRATEGY}/list"),
    MeasuredList("List History", "admin_strategy", f"strategy/trigger/history/{rows.STRATEGY}", 1),
    MeasuredList("Show Timeline", "admin_strategy", f"strategy/trigger/{rows.TRIGGER}/timeline", 50),
    MeasuredList("Show Strategy Performance", "admin_strategy", f"strategy/{rows.STRATEGY}/performance", 30),
    MeasuredList("List Strategy Automated", "admin_setting_strategy", "setting/strategy/list"),
    MeasuredList("List Subscription", "admin_subscription", "subscription/list"),
    MeasuredList("List Balance History", "admin_exchange", f"exchange/key/balance/history/{rows.KEY}", None),
    MeasuredList("List Own Events", "user", "account/event/list", user=rows.USER),
    MeasuredList("List Own Exchange Keys", "exchange", "exchange/key/list", user=rows.USER),
    MeasuredList("List Own Followers", "strategy_follower", "strategy/follower/list", user=rows.USER),
    MeasuredList(
        "List Own Strategy History", "strategy_follower", "account/trade/strategy/history", None, user=rows.USER
    ),
    MeasuredList("List Own Manual History", "strategy_follower", "account/trade/manual/history", None, user=rows.USER),
    MeasuredList(
        "List Own Balance History", "exchange", f"exchange/key/balance/history/{rows.KEY}", None, user=rows.USER
    ),
    MeasuredList("Show Leader's Performance", "strategy", f"strategy/{rows.STRATEGY}/performance", 30, rows.NOBODY),
    MeasuredList("List Active Strategies", "strategy", "strategy/list", user=rows.NOBODY),
    MeasuredList("List Public Plans", "subscription", "subscription/list", user=rows.NOBODY),
)


def main() -> int:
    """Measure both sizes and print a table; return 0 if the measurement ran."""
    places = Places(Ports.reserve_free())
    print("One page of each list: what it costs with little data and with a lot\n", flush=True)
    process = embedded_aws.start(places)
    try:
        embedded_aws.wait(process, places)
        os.environ.update(aws_environment(places))
        os.environ.update(environment(places.aws_url, kms=client("kms", places), ssm=client("ssm", places)))
        process_state.reset()
        # Above the usual four seconds: the embedded AWS reads a whole index for one page.
        connection()._read_timeout_seconds = _READ_TIMEOUT_S
        logger.setLevel("ERROR")
        for table in Table.__subclasses__():
            table.create_table(billing_mode="PAY_PER_REQUEST")
        little, much = _after_loading(places.aws_url, LITTLE), _after_loading(places.aws_url, MUCH, after=LITTLE)
    except NotReady as error:
        print(f"make bench: {error}", file=sys.stderr)
        return 1
    finally:
        process.stop()
    print("\n" + _table(little, much), flush=True)
    return 0


def _after_loading(url: str, size: Size, *, after: Size = NOTHING) -> dict[str, Cost]:
    started = time.monotonic()
    load(url, size, after=after)
    print(f"  {size}: written in {time.monotonic() - started:.0f} s", flush=True)
    return measure()


def _table(little: dict[str, Cost], much: dict[str, Cost]) -> str:
    lines = [("", "items", str(LITTLE), str(MUCH), "")]
    for title, cost in little.items():
        verdict = "the same" if much[title] == cost else "GROWS"
        lines.append((title, str(cost.shown), str(cost), str(much[title]), verdict))
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def load(url: str, size: Size, *, after: Size = NOTHING) -> None:
    """Write the records that `size` has in addition to `after`."""
    records = chain(
        rows.users(range(after.users, size.users)),
        rows.strategies(range(after.strategies, size.strategies)),
        rows.keys(range(after.keys, size.keys)),
        rows.executions(range(after.executions, size.executions)),
    )
    with ThreadPoolExecutor(_SENDERS) as pool:
        # In chunks: a million prepared requests would not fit into memory.
        while chunk := list(islice(records, _CHUNK)):
            list(pool.map(lambda batch: _write(url, *batch), _batches(chunk)))


def measure() -> dict[str, Cost]:
    """Return the cost of a page of each list, by title."""
    return {one.title: _cost(one) for one in LISTS}


def environment(places_url: str, *, kms: Any, ssm: Any) -> dict[str, str]:
    """Create the key and parameter that handlers need, and return the handlers' environment."""
    paging_key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    ssm.put_parameter(Name="/lists/maintenance", Type="String", Value="off", Overwrite=True)
    return {
        "AWS_ENDPOINT_URL": places_url,
        "PAGING_KEY_ID": paging_key,
        "MAINTENANCE_PARAMETER": "/lists/maintenance",
        "ADMIN_POOL_ID": ADMIN_POOL,
        "ADMIN_POOL_CLIENT_ID": CLIENT_ID,
        "USER_POOL_ID": USER_POOL,
        "USER_POOL_CLIENT_ID": CLIENT_ID,
    }


def _batches(records: Iterable[tuple[type[Table], rows.Row]]) -> Iterator[tuple[str, list[rows.Row]]]:
    by_table: defaultdict[str, list[rows.Row]] = defaultdict(list)
    for table, row in records:
        by_table[table.Meta.table_name].append(row)
    for name, found in by_table.items():
        for start in range(0, len(found), _BATCH):
            yield name, found[start : start + _BATCH]


def _write(url: str, table: str, batch: list[rows.Row]) -> None:
    # Without botocore's client, which takes longer to prepare a request than the embedded AWS to carry it out.
    body = json.dumps({"RequestItems": {table: [{"PutRequest": {"Item": row}} for row in batch]}}, default=_binary)
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.BatchWriteItem"}
    request = AWSRequest("POST", url, headers=headers, data=body)
    key = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(key, "dynamodb", REGION).add_auth(request)
    server = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        server.request("POST", "/", body, dict(request.headers))
        answer = server.getresponse()
        text = answer.read().decode()
    finally:
        server.close()
    if answer.status != http.HTTPStatus.OK or json.loads(text).get("UnprocessedItems"):
        raise NotReady(f"the embedded AWS did not write a batch: {answer.status} {text[:200]}")


def _binary(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _cost(one: MeasuredList) -> Cost:
    handler = importlib.import_module(f"functions.{one.function}.app").lambda_handler
    path = f"/v1/{one.path}" if one.user else f"/v1/admin/{one.path}"
    query = {} if one.limit is None else {"limit": str(one.limit)}
    if one.limit is None:
        # Lists by day: every day.
        query = {"start": "2026-01-01", "limit": "1000"}
    event = {
        "httpMethod": "GET",
        "path": path,
        "resource": path,
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": query,
        "requestContext": {"requestId": "lists", "stage": "live", "authorizer": {"claims": one.claims}},
        "body": None,
        "isBase64Encoded": False,
    }
    counted = {"requests": 0, "items": 0}

    def count(parsed: dict[str, Any], **_: Any) -> None:
        counted["requests"] += 1
        batches = parsed.get("Responses") or {}
        counted["items"] += parsed.get("ScannedCount", 0) + int("Item" in parsed) + sum(map(len, batches.values()))

    # The admin is in no Cognito that could be asked.
    admin_standing.remember(_ADMIN["sub"], AdminStanding(enabled=True, in_group=True, signed_out_at=0))
    hooks = connection().client.meta.events
    hooks.register("after-call.dynamodb", count)
    try:
        answer = handler(event, Context(one.function))
    finally:
        hooks.unregister("after-call.dynamodb", count)
    if answer["statusCode"] != http.HTTPStatus.OK:
        raise NotReady(f"{one.title} answers {answer['statusCode']}: {answer['body']}")
    body = json.loads(answer["body"])
    items = body.get("StrategyAutomatedTriggers", body.get("followers", body))["items"]
    return Cost(counted["requests"], counted["items"], len(items))


if __name__ == "__main__":
    sys.exit(main())
