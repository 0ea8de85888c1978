"""Measures one alert to 100 followers on a local stack, with an exchange that answers in 50 ms, and prints a table."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

from local.bench import senders
from local.bench.books import Exchange, Measured
from local.stack.deploy import client
from local.stack.places import NotReady, Places, Ports
from local.stack.running import LocalStack, Running

FOLLOWERS = int(os.environ.get("FOLLOWERS", "") or "100")
LATENCY_MS = int(os.environ.get("LATENCY_MS", "") or "50")
ALERTS = 3
_DEADLINE_S = 120.0


def main() -> int:
    """Run every measurement once and print a table; return 0 if all of them ran."""
    stack = LocalStack(Places(Ports.reserve_free()), followers=FOLLOWERS, report=_say)
    try:
        _say(f"One alert, {FOLLOWERS} followers, an exchange that answers in {LATENCY_MS} ms\n")
        rows = _measure_all(stack.start())
    except NotReady as error:
        print(f"make bench: {error}", file=sys.stderr)
        return 1
    finally:
        stack.stop()
    _say("\n" + _table(rows))
    return 0


def _measure_all(running: Running) -> list[Measured]:
    exchange = Exchange(running.places.exchange_url)
    # 100 followers and three senders use more request weight in a minute than one address has, and the limit is not
    # what is measured.
    exchange.control("POST", "/paper/settings", {"limits_enabled": False})
    lanes = f"{running.deployed.outputs['TablePrefix']}egress_lanes"
    lane = {"lane": {"S": "lane-1"}, "weight_limit": {"N": "1000000"}}
    client("dynamodb", running.places).put_item(TableName=lanes, Item=lane)
    exchange.control("PUT", "/paper/latency", {"ms": LATENCY_MS})
    keys = [follower["api_key"] for follower in running.seeded["followers"]]
    alerts = []
    for number in range(ALERTS + 1):
        name = "Lockstep, first alert after the deployment" if number == 0 else f"Lockstep, alert {number}"
        alerts.append(_alert(running, exchange, keys, name=name, number=number))
        _say(f"  {name}: last entry {alerts[-1].last_entry_ms:.0f} ms, protected {alerts[-1].last_protected_ms:.0f} ms")
        _close_all(running, exchange, keys)
    cold, *warm = alerts
    usual = Measured(
        name=f"Lockstep, from alert to stop (median of {ALERTS})",
        last_entry_ms=statistics.median(one.last_entry_ms for one in warm),
        last_protected_ms=statistics.median(one.last_protected_ms for one in warm),
        requests=warm[0].requests,
    )
    floor = _send(exchange, "floor: raw aiohttp, the same requests", _raw)
    peer = _send(exchange, "peer: ccxt in a loop, one by one", senders.send_in_a_loop)
    return [floor, usual, cold, peer]


def _raw(url: str, accounts: Sequence[Any]) -> None:
    asyncio.run(senders.send_raw(url, accounts))


def _send(exchange: Exchange, name: str, send: Callable[[str, Sequence[Any]], None]) -> Measured:
    accounts = exchange.open_accounts(FOLLOWERS)
    alert_at_ms = time.time() * 1000
    send(exchange.url, accounts)
    return exchange.measure(name, [one.api_key for one in accounts], alert_at_ms=alert_at_ms, requests_before=0)


def _alert(running: Running, exchange: Exchange, keys: Sequence[str], *, name: str, number: int) -> Measured:
    before = exchange.requests(keys)
    seeded = running.seeded
    body = {
        "strategy": seeded["strategy_id"],
        "secret": seeded["webhook_secret"],
        "orderPrice": "20000",
        "type": "buy",
        "stop": senders.STOP,
        "stopType": "Market",
        "takeProfit": "NaN",
        "takeProfitPrice1": "20300",
        "takeProfitPrice2": "20600",
        "takeProfitPrice3": str(21000 + number),  # so that it is no repeat
        "winRate": "NaN",
    }
    alert_at_ms = time.time() * 1000
    _request("POST", f"{running.places.webhook_url}/v1/webhook/strategy", body)
    _wait(lambda: all(_protected(book, alert_at_ms) for book in exchange.books(keys)), "all followers are protected")
    # Take-profits are placed after the stop, and an account's requests are counted when all of them are sent.
    _wait(lambda: all(len(book["openOrders"]) == 1 + len(senders.TARGETS) for book in exchange.books(keys)), "targets")
    return exchange.measure(name, keys, alert_at_ms=alert_at_ms, requests_before=before)


def _protected(book: dict[str, Any], alert_at_ms: float) -> bool:
    return any(o.get("orderType") == "STOP_MARKET" and o["createTime"] >= alert_at_ms for o in book["openOrders"])


def _close_all(running: Running, exchange: Exchange, keys: Sequence[str]) -> None:
    address = f"{running.places.api_url}/v1/admin/strategy/follower/{running.seeded['strategy_id']}/all"
    _request("DELETE", address, None, {"Authorization": running.seeded["admin_token"]})
    _wait(
        lambda: not any(book["positions"] or book["openOrders"] for book in exchange.books(keys)), "everything is flat"
    )


def _request(method: str, url: str, body: dict[str, Any] | None, headers: dict[str, str] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - 127.0.0.1
        url, data=data, method=method, headers={"Content-Type": "application/json"} | (headers or {})
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - 127.0.0.1
        return json.loads(answer.read() or b"null")


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise NotReady(f"gave up after {_DEADLINE_S:.0f} s waiting until {what}")
        time.sleep(0.5)  # polling takes CPU from what is measured


def _table(rows: Sequence[Measured]) -> str:
    floor = rows[0]
    headings = ("", "last entry, ms", "× floor", "last protected, ms", "× floor", "requests each")
    lines = [headings] + [
        (
            row.name,
            f"{row.last_entry_ms:.0f}",
            f"{row.last_entry_ms / floor.last_entry_ms:.1f}",
            f"{row.last_protected_ms:.0f}",
            f"{row.last_protected_ms / floor.last_protected_ms:.1f}",
            str(row.requests),
        )
        for row in rows
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
