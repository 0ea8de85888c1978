"""Fires as many alerts a second as the machine takes over many strategies, and looks whether each has its end.

Every strategy has one follower. The alerts differ, so that none is a repeat: sides alternate and prices vary. Senders
are a fixed number, each with the next alert in hand when the last one is answered, and stop when the time is over. What
is measured is warm: before, other strategies get the same, until that starts no further worker.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from local.bench.books import Exchange
from local.faults.stack.firing import AlertAnswer, post_alert
from local.faults.stack.records import Records
from local.faults.stack.table import table
from local.faults.stack.workers import find_workers
from local.stack.places import NotReady, Places, Ports
from local.stack.running import LocalStack, Running
from shared.trading.ids import execution_id

STRATEGIES = int(os.environ.get("STRATEGIES", "") or "50")
SECONDS = float(os.environ.get("SECONDS_LONG", "") or "20")
SENDERS = int(os.environ.get("SENDERS", "") or "1")
"""The next alert follows an answer at once; on two cores one sender at a time already fills them."""
LIMITS = os.environ.get("LIMITS", "") == "1"
"""Whether the paper exchange counts request weight, as Binance does for one address."""

P95_BOUND_MS = 300.0
"""A tenth of what TradingView waits."""
MOST_ALERTS = 20_000
_WARM_STRATEGIES, _WARM_ROUND_S, _WARMING_S = 10, 5.0, 240.0
_SETTLED_S = 900.0
_POLL_S = 2.0
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Fired:
    """One alert: whose it was, and what was answered."""

    strategy: dict[str, Any]
    answer: AlertAnswer


def alerts(strategies: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Yield strategies in turn, each with an alert that is not its last one again."""
    for number in itertools.count():
        strategy = strategies[number % len(strategies)]
        turn = number // len(strategies)
        side = 1 if turn % 2 == 0 else -1
        price = Decimal(20000) + Decimal(turn % 97) / 10
        body = {
            "strategy": strategy["strategy_id"],
            "secret": strategy["webhook_secret"],
            "type": "buy" if side == 1 else "sell",
            "orderPrice": f"{price}",
            "stop": f"{price - 300 * side}",
            "stopType": "Market",
            "takeProfit": "NaN",
            "takeProfitPrice1": f"{price + 300 * side}",
            "takeProfitPrice2": f"{price + 600 * side}",
            "takeProfitPrice3": "NaN",
            "winRate": "NaN",
        }
        yield strategy, body


def fire(
    url: str, strategies: Sequence[dict[str, Any]], *, for_s: float, senders: int, at_most: int = MOST_ALERTS
) -> list[Fired]:
    """Send alerts for so long, so many at a time, and return what was answered to each."""
    following = itertools.islice(alerts(strategies), at_most)
    taking = threading.Lock()
    ends_at_s = time.monotonic() + for_s

    def send() -> list[Fired]:
        fired = []
        while time.monotonic() < ends_at_s:
            with taking:
                taken = next(following, None)
            if taken is None:
                break
            strategy, body = taken
            fired.append(Fired(strategy, post_alert(url, body)))
        return fired

    with ThreadPoolExecutor(senders) as pool:
        sending = [pool.submit(send) for _ in range(senders)]
        return [one for sent in sending for one in sent.result()]


@dataclass(frozen=True, slots=True)
class Endings:
    """What became of the accepted alerts."""

    states: Counter[str]
    faults: list[str]
    unsettled: int


def look(records: Records, fired: Sequence[Fired]) -> Endings:
    """Return what the tables say of every alert that was answered with an id."""
    executions = {
        one.answer.trigger_id: execution_id(one.answer.trigger_id, one.strategy["followers"][0]["id"])
        for one in fired
        if one.answer.trigger_id
    }
    triggers, found = records.triggers(list(executions)), records.executions(list(executions.values()))
    states: Counter[str] = Counter()
    faults, unsettled = [], 0
    for trigger_id, identity in executions.items():
        trigger, execution = triggers.get(trigger_id), found.get(identity)
        if trigger is None:
            faults.append(f"trigger {trigger_id} was accepted and is not there")
        elif execution is None:
            faults.append(f"trigger {trigger_id} has no execution")
        elif "open_shard" in execution and execution["state"] != "PROTECTED":
            unsettled += 1
            states[f"{execution['state']}, under way"] += 1
        else:
            reason = execution.get("reason") or execution.get("close_reason")
            states[" ".join(filter(None, (execution["state"], reason)))] += 1
            if not reason and execution["state"] != "PROTECTED":
                faults.append(f"execution {identity} ended as {execution['state']} without a reason")
            if trigger["active"] != ("open_shard" in execution):
                faults.append(f"trigger {trigger_id} is not over with its execution, or before it")
    return Endings(states, faults, unsettled)


def settle(records: Records, fired: Sequence[Fired], *, within_s: float) -> tuple[Endings, float]:
    """Return what became of the alerts once all have settled, or the time is over, and how long that took."""
    began = time.monotonic()
    while True:
        endings, took_s = look(records, fired), time.monotonic() - began
        if not (endings.unsettled or endings.faults) or took_s > within_s:
            return endings, took_s
        time.sleep(_POLL_S)  # asking costs the machine that is measured


def main() -> int:
    """Run it, print the table and the verdict; 0 when every claim held."""
    stack = LocalStack(Places(Ports.reserve_free()), followers=1, report=_say)
    try:
        _say(f"Burst: {SECONDS:.0f} s of alerts, {STRATEGIES} strategies of one follower, {SENDERS} senders\n")
        running = stack.start()
        strategies = running.add_strategies("BURST", "BTC/USDT", 1, count=STRATEGIES)
        exchange = Exchange(running.places.exchange_url)
        exchange.control("POST", "/paper/settings", {"limits_enabled": LIMITS})
        faults = _measure(running, strategies)
    except (NotReady, urllib.error.URLError) as error:
        print(f"burst: {error}", file=sys.stderr)
        return 1
    finally:
        stack.stop()
    for line in faults[:_SHOWN]:
        _say(f"  {line}")
    _say(f"\nburst: {len(faults)} claims did not hold" if faults else "\nburst: every accepted alert has its end")
    return 1 if faults else 0


def _measure(running: Running, strategies: Sequence[dict[str, Any]]) -> list[str]:
    url, records = f"{running.places.webhook_url}/v1/webhook/strategy", Records(running.places)
    rounds = _warm(running, url, records, running.add_strategies("WARM", "BTC/USDT", 1, count=_WARM_STRATEGIES))
    began = time.monotonic()
    fired = fire(url, strategies, for_s=SECONDS, senders=SENDERS)
    took_s = time.monotonic() - began
    endings, drained_s = settle(records, fired, within_s=_SETTLED_S)
    accepted = [one.answer for one in fired if one.answer.trigger_id]
    times = sorted(one.took_ms for one in accepted)
    p95_ms = percentile(times, 95)
    rows = [
        ("rounds until warm", str(rounds)),
        ("alerts answered", str(len(fired))),
        ("accepted", str(len(accepted))),
        ("alerts a second", f"{len(fired) / took_s:.1f}"),
        *((f"answer p{rank}, ms", f"{percentile(times, rank):.0f}") for rank in (50, 95, 99)),
        ("answer at most, ms", f"{max(times, default=0):.0f}"),
        ("all settled after, s", f"{drained_s:.1f}"),
        *((f"  {state}", str(number)) for state, number in endings.states.most_common()),
    ]
    _say("\n" + table(rows))
    found = list(endings.faults)
    if endings.unsettled:
        found.append(f"{endings.unsettled} executions are still under way after {drained_s:.0f} s")
    if p95_ms >= P95_BOUND_MS:
        found.append(f"the webhook's p95 is {p95_ms:.0f} ms, {P95_BOUND_MS:.0f} at most")
    if len({one.trigger_id for one in accepted}) != len(accepted):
        found.append("two alerts were answered with one trigger")
    if refused := Counter(one.answer.status for one in fired if not one.answer.trigger_id):
        found.append(f"refused, by status: {dict(refused)}")
    if dead := records.dead_letters():
        found.append(f"{dead} dead letters")
    return found


def _warm(running: Running, url: str, records: Records, strategies: Sequence[dict[str, Any]]) -> int:
    """Fire at strategies that are not measured until a round of that starts no further worker; return the rounds."""
    ends_at_s, rounds = time.monotonic() + _WARMING_S, 0
    while True:
        before = set(find_workers(running.aws_pid))
        fired = fire(url, strategies, for_s=_WARM_ROUND_S, senders=SENDERS)
        settle(records, fired, within_s=_WARMING_S)
        rounds += 1
        if set(find_workers(running.aws_pid)) <= before or time.monotonic() > ends_at_s:
            return rounds


def percentile(times: Sequence[float], rank: int) -> float:
    """Return the time that `rank` percent of the sorted times do not exceed."""
    return times[max(math.ceil(len(times) * rank / 100) - 1, 0)] if times else 0.0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
