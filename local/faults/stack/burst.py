"""Fires as many alerts a second at many strategies as the webhook answers, and checks that each one ends.

Every strategy has one follower. The alerts differ, so that none is a repeat: sides alternate and prices vary. A fixed
number of senders each send the next alert when the last one is answered, until the time is over. Before the measurement
other strategies get the same alerts, until a round starts no further worker.
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
"""A sender sends its next alert as soon as one is answered: one sender already keeps two cores busy."""
LIMITS = os.environ.get("LIMITS", "") == "1"
"""Whether the paper exchange counts request weight, as Binance does for one address."""

P95_BOUND_MS = 300.0
"""A tenth of the time that TradingView waits."""
MOST_ALERTS = 20_000
_WARM_STRATEGIES, _WARM_ROUND_S, _WARMING_S = 10, 5.0, 240.0
_ENDED_WITHIN_S = 900.0
_POLL_S = 2.0
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Fired:
    """One alert: its strategy and the answer."""

    strategy: dict[str, Any]
    answer: AlertAnswer


def alerts(strategies: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Yield strategies in turn, each with an alert that differs from its previous one."""
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
    """Send alerts for `for_s` seconds from `senders` threads, and return the answer to each."""
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
class Outcomes:
    """The outcomes of the accepted alerts."""

    states: Counter[str]
    violations: list[str]
    in_progress: int


def read_outcomes(records: Records, fired: Sequence[Fired]) -> Outcomes:
    """Return the recorded outcome of every alert that was answered with an id."""
    executions = {
        one.answer.trigger_id: execution_id(one.answer.trigger_id, one.strategy["followers"][0]["id"])
        for one in fired
        if one.answer.trigger_id
    }
    triggers, found = records.triggers(list(executions)), records.executions(list(executions.values()))
    states: Counter[str] = Counter()
    violations, in_progress = [], 0
    for trigger_id, identity in executions.items():
        trigger, execution = triggers.get(trigger_id), found.get(identity)
        if trigger is None:
            violations.append(f"trigger {trigger_id} was accepted and is not stored")
        elif execution is None:
            violations.append(f"trigger {trigger_id} has no execution")
        elif "open_shard" in execution and execution["state"] != "PROTECTED":
            in_progress += 1
            states[f"{execution['state']}, in progress"] += 1
        else:
            reason = execution.get("reason") or execution.get("close_reason")
            states[" ".join(filter(None, (execution["state"], reason)))] += 1
            if not reason and execution["state"] != "PROTECTED":
                violations.append(f"execution {identity} ended as {execution['state']} without a reason")
            if trigger["active"] != ("open_shard" in execution):
                violations.append(f"trigger {trigger_id} and its execution do not end together")
    return Outcomes(states, violations, in_progress)


def wait_until_ended(records: Records, fired: Sequence[Fired], *, within_s: float) -> tuple[Outcomes, float]:
    """Return the outcomes once every alert has ended, or the time is over, and how long that took."""
    began = time.monotonic()
    while True:
        outcomes, took_s = read_outcomes(records, fired), time.monotonic() - began
        if not (outcomes.in_progress or outcomes.violations) or took_s > within_s:
            return outcomes, took_s
        time.sleep(_POLL_S)  # polling takes CPU from what is measured


def main() -> int:
    """Run the burst and print a table and the verdict; return 0 if every claim held."""
    stack = LocalStack(Places(Ports.reserve_free()), followers=1, report=_say)
    try:
        _say(f"Burst: {SECONDS:.0f} s of alerts, {STRATEGIES} strategies of one follower, {SENDERS} senders\n")
        running = stack.start()
        strategies = running.add_strategies("BURST", "BTC/USDT", 1, count=STRATEGIES)
        exchange = Exchange(running.places.exchange_url)
        exchange.control("POST", "/paper/settings", {"limits_enabled": LIMITS})
        violations = _measure(running, strategies)
    except (NotReady, urllib.error.URLError) as error:
        print(f"burst: {error}", file=sys.stderr)
        return 1
    finally:
        stack.stop()
    for line in violations[:_SHOWN]:
        _say(f"  {line}")
    _say(
        f"\nburst: {len(violations)} claims did not hold" if violations else "\nburst: every accepted alert has its end"
    )
    return 1 if violations else 0


def _measure(running: Running, strategies: Sequence[dict[str, Any]]) -> list[str]:
    url, records = f"{running.places.webhook_url}/v1/webhook/strategy", Records(running.places)
    rounds = _warm(running, url, records, running.add_strategies("WARM", "BTC/USDT", 1, count=_WARM_STRATEGIES))
    began = time.monotonic()
    fired = fire(url, strategies, for_s=SECONDS, senders=SENDERS)
    took_s = time.monotonic() - began
    outcomes, drained_s = wait_until_ended(records, fired, within_s=_ENDED_WITHIN_S)
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
        ("all ended after, s", f"{drained_s:.1f}"),
        *((f"  {state}", str(number)) for state, number in outcomes.states.most_common()),
    ]
    _say("\n" + table(rows))
    found = list(outcomes.violations)
    if outcomes.in_progress:
        found.append(f"{outcomes.in_progress} executions are still in progress after {drained_s:.0f} s")
    if p95_ms >= P95_BOUND_MS:
        found.append(f"the webhook's p95 is {p95_ms:.0f} ms, its bound {P95_BOUND_MS:.0f}")
    if len({one.trigger_id for one in accepted}) != len(accepted):
        found.append("two alerts were answered with one trigger")
    if refused := Counter(one.answer.status for one in fired if not one.answer.trigger_id):
        found.append(f"refused, by status: {dict(refused)}")
    if dead := records.dead_letters():
        found.append(f"{dead} dead letters")
    return found


def _warm(running: Running, url: str, records: Records, strategies: Sequence[dict[str, Any]]) -> int:
    """Fire at other strategies until a round starts no further worker; return the number of rounds."""
    ends_at_s, rounds = time.monotonic() + _WARMING_S, 0
    while True:
        before = set(find_workers(running.aws_pid))
        fired = fire(url, strategies, for_s=_WARM_ROUND_S, senders=SENDERS)
        wait_until_ended(records, fired, within_s=_WARMING_S)
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
