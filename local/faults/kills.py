"""Kills every Lambda worker again and again while alerts are on their way, and compares the end with a quiet run's.

Two strategies with equal followers get the same two alerts, the second one opposite, so that it closes and opens. One
strategy is left in peace. The other's workers are killed (SIGKILL) at seeded random moments, some moved to where
a position has no stop yet; the embedded AWS and the paper exchange live on. Then everything must come to the same end.
"""

from __future__ import annotations

import os
import random
import sys
import time
import urllib.error
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.bench.books import Exchange
from local.faults.end_state import EndState, end_state, is_naked, longest_naked_ms
from local.faults.firing import post_alert
from local.faults.records import Records
from local.faults.table import table
from local.faults.workers import kill_workers
from local.stack.places import STACK_NAME, NotReady, Places, Ports
from local.stack.running import LocalStack, Running
from shared.trading.ids import execution_id

FOLLOWERS = int(os.environ.get("FOLLOWERS", "") or "50")
SEED = int(os.environ.get("SEED", "") or "1")
ROUNDS = int(os.environ.get("ROUNDS", "") or "6")
LATENCY_MS = int(os.environ.get("LATENCY_MS", "") or "50")

MAX_ALERT_AGE_S = int(os.environ.get("MAX_ALERT_AGE_S", "") or "600")
"""Kills may go on for longer than an alert is usually fresh: what is looked at is whether anything is lost."""

KILLED_BOUND_MS, LIVING_BOUND_MS = 25_000, 5_000
_KILLING_S = 20.0
"""Over which a run's kills are spread: the first road and the looks that follow it."""
_CHASE_S = 4.0
_STANDING = 3
"""Orders at a position: a stop and two take-profits."""
_REST_S, _DRAIN_S = 300.0, 300.0
_DELIVERIES = 4
_USUAL_MAX_AGE_S = 60
_BUY = {"type": "buy", "stop": "19700", "takeProfitPrice1": "20300", "takeProfitPrice2": "20600"}
_SELL = {"type": "sell", "stop": "20300", "takeProfitPrice1": "19700", "takeProfitPrice2": "19400"}
_ALERT = {"orderPrice": "20000", "stopType": "Market", "takeProfit": "NaN", "takeProfitPrice3": "NaN", "winRate": "NaN"}


@dataclass(slots=True)
class Run:
    """One strategy on its way through the alerts."""

    name: str
    seeded: dict[str, Any]
    triggers: list[str] = field(default_factory=list)
    ends: list[list[EndState]] = field(default_factory=list)
    """After each alert, each follower's."""
    kills: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    naked_when_killed: int = 0
    """Positions without a stop at the moment of a kill."""
    deliveries: int = 0
    """Of alerts: one that was answered with an error comes again, as TradingView sends it."""
    rest_s: list[float] = field(default_factory=list)
    longest_naked_ms: int = 0
    late: int = 0
    """Entries that filled when an alert is usually stale already."""
    messages: int = 0
    """That moved an execution: each takes the lease under a name of its own."""
    requests: int = 0

    @property
    def keys(self) -> list[str]:
        """The followers' API keys at the exchange."""
        return [follower["api_key"] for follower in self.seeded["followers"]]


class Ground:
    """The stack that the runs are made on."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.exchange = Exchange(running.places.exchange_url)
        self.records = Records(running.places)

    def books(self, run: Run) -> list[dict[str, Any]]:
        """Return the followers' accounts, read side by side."""
        with ThreadPoolExecutor(8) as pool:
            return [book for (book,) in pool.map(lambda key: self.exchange.books([key]), run.keys)]

    def executions(self, run: Run, trigger_id: str) -> list[dict[str, Any] | None]:
        """Return the followers' executions of a trigger; None for one that is not there (yet)."""
        ids = [execution_id(trigger_id, follower["id"]) for follower in run.seeded["followers"]]
        found = self.records.executions(ids)
        return [found.get(one) for one in ids]

    def play(self, run: Run, alert: dict[str, str], kills: Callable[[Run], None] | None = None) -> None:
        """Fire one alert and, with `kills`, let them happen; return when everything is at rest."""
        began = time.monotonic()
        body = {"strategy": run.seeded["strategy_id"], "secret": run.seeded["webhook_secret"]} | _ALERT | alert
        with ThreadPoolExecutor(1) as pool:
            killing = pool.submit(kills, run) if kills else None
            run.triggers.append(self._fire(run, body))
            if killing:
                killing.result()
        try:
            _wait(lambda: self._at_rest(run), f"everything of {run.name} is at rest", within_s=_REST_S)
        except NotReady as error:
            found = Counter(str(one and one["state"]) for one in self.executions(run, run.triggers[-1]))
            raise NotReady(f"{error}: {dict(found)}") from error
        run.rest_s.append(time.monotonic() - began)
        run.ends.append(self.ends(run))

    def _fire(self, run: Run, body: dict[str, str]) -> str:
        for _ in range(_DELIVERIES):
            run.deliveries += 1
            answer = post_alert(f"{self.running.places.webhook_url}/v1/webhook/strategy", body)
            if answer.trigger_id:
                return answer.trigger_id
            time.sleep(0.5)
        raise NotReady(f"the webhook refused an alert {_DELIVERIES} times: {answer.status}")

    def _at_rest(self, run: Run) -> bool:
        *before, last = [self.executions(run, trigger_id) for trigger_id in run.triggers]
        if not all(one and _is_over(one) for group in before for one in group):
            return False
        if not all(one and (one["state"] == "PROTECTED" or _is_over(one)) for one in last):
            return False
        # The last take-profits are on their way when the stop stands.
        return all(not book["positions"] or len(book["openOrders"]) == _STANDING for book in self.books(run))

    def ends(self, run: Run) -> list[EndState]:
        """Return the followers' end states as they are now."""
        groups = [self.executions(run, trigger_id) for trigger_id in run.triggers]
        return [
            end_state(book, executions)
            for book, executions in zip(self.books(run), zip(*groups, strict=True), strict=True)
        ]

    def kill(self, run: Run) -> None:
        """Kill every worker now."""
        run.naked_when_killed += sum(is_naked(book) for book in self.books(run))
        run.killed += kill_workers(self.running.aws_pid, stack_name=STACK_NAME)
        run.kills += 1

    def measure(self, run: Run) -> None:
        """Note what the books say of the whole run."""
        now_ms = time.time() * 1000
        books = self.books(run)
        run.longest_naked_ms = max(longest_naked_ms(book, now_ms=now_ms) for book in books)
        run.requests = sum(sum(book["requests"].values()) for book in books)
        executions = [one for trigger_id in run.triggers for one in self.executions(run, trigger_id) if one]
        run.messages = sum(len(self.records.workers_of(one["id"])) for one in executions)
        run.late = sum(_fill_age_s(one) > _USUAL_MAX_AGE_S for one in executions)


def _is_over(execution: dict[str, Any]) -> bool:
    # An entry that is proven absent is watched for a day.
    return "open_shard" not in execution or execution.get("reason") == "ENTRY_UNKNOWN"


def _fill_age_s(execution: dict[str, Any]) -> float:
    filled_at = execution.get("entry_filled_at")
    return (_moment(filled_at) - _moment(execution["received_at"])).total_seconds() if filled_at else 0.0


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def kill_at_random(ground: Ground, chance: random.Random, *, rounds: int, over_s: float) -> Callable[[Run], None]:
    """Return kills at random moments: the first on the fan-out's heels, the others where the exchange is at work.

    Every other one waits for a position that has no stop yet.
    """

    def kills(run: Run) -> None:
        began = time.monotonic()
        moments = [chance.uniform(0.1, 1.2), *sorted(chance.uniform(1.2, over_s) for _ in range(rounds - 1))]
        for number, at_s in enumerate(moments):
            time.sleep(max(began + at_s - time.monotonic(), 0))
            if number:
                _chase(ground, run, naked=number % 2 == 1)
                time.sleep(chance.uniform(0, 0.3) if number % 2 == 0 else 0)
            ground.kill(run)

    return kills


def _chase(ground: Ground, run: Run, *, naked: bool) -> None:
    """Return when the exchange hears from the run's followers (`naked`: holds a position without a stop), or soon."""
    give_up_at_s, before = time.monotonic() + _CHASE_S, None
    while time.monotonic() < give_up_at_s:
        books = ground.books(run)
        heard = sum(sum(book["requests"].values()) for book in books)
        if any(is_naked(book) for book in books) if naked else heard > (before or heard):
            return
        before = heard


def compare(ground: Ground, quiet: Run, killed: Run) -> list[str]:
    """Return whatever is not as it was in the quiet run, or must never be."""
    found = []
    for number, (ours, theirs) in enumerate(zip(killed.ends, quiet.ends, strict=True), start=1):
        for follower, (one, other) in enumerate(zip(ours, theirs, strict=True), start=1):
            found += [f"alert {number}, follower {follower}: {text}" for text in one.differences(other)]
            found += [f"alert {number}, follower {follower}: {text}" for text in one.faults()]
    found += [f"quiet run, follower: {text}" for end in quiet.ends[-1] for text in end.faults()]
    for run in (quiet, killed):
        found += [f"{run.name}: {text}" for text in _trigger_faults(ground, run)]
    if dead := ground.records.dead_letters():
        found.append(f"{dead} dead letters")
    return found


def _trigger_faults(ground: Ground, run: Run) -> list[str]:
    triggers, found = ground.records.triggers(run.triggers), []
    for number, trigger_id in enumerate(run.triggers, start=1):
        trigger = triggers[trigger_id]
        open_ones = sum(bool(one and "open_shard" in one) for one in ground.executions(run, trigger_id))
        counted = ground.records.active_count(trigger_id)
        if trigger["fanout_state"] != "DONE" or "pending" in trigger:
            found.append(f"the fan-out of alert {number} is not done")
        if counted != open_ones:
            found.append(f"alert {number} counts {counted} active executions of {open_ones}")
        if trigger["active"] != bool(open_ones):
            found.append(f"alert {number} is {'active' if trigger['active'] else 'over'} with {open_ones} open")
    return found


def main() -> int:
    """Run both, print the table and the verdict; 0 when every claim held."""
    age = {"MaxAlertAgeSeconds": str(MAX_ALERT_AGE_S)}
    stack = LocalStack(Places(Ports.find_free()), followers=FOLLOWERS, report=_say, parameters=age)
    try:
        _say(f"Kills: {FOLLOWERS} followers, seed {SEED}, {ROUNDS} rounds for each of two alerts\n")
        running = stack.start()
        ground = Ground(running)
        # What is looked at is the road, not the limit of one address.
        ground.exchange.control("POST", "/paper/settings", {"limits_enabled": False})
        ground.exchange.control("PUT", "/paper/latency", {"ms": LATENCY_MS})
        quiet = Run("the quiet run", running.seeded)
        killed = Run("the run with kills", running.add_strategy("KILLED", "BTC/USDT", FOLLOWERS))
        found = _play_both(ground, quiet, killed)
    except (NotReady, urllib.error.URLError) as error:
        print(f"kills: {error}", file=sys.stderr)
        return 1
    finally:
        stack.stop()
    _say("\n" + _table(quiet, killed))
    return _verdict(found)


def _play_both(ground: Ground, quiet: Run, killed: Run) -> list[str]:
    chance = random.Random(SEED)  # noqa: S311 - moments, not secrets
    for alert in (_BUY, _SELL):
        ground.play(quiet, alert)
        _say(f"  {quiet.name}: {alert['type']} at rest after {quiet.rest_s[-1]:.1f} s")
    for alert in (_BUY, _SELL):
        ground.play(killed, alert, kill_at_random(ground, chance, rounds=ROUNDS, over_s=_KILLING_S))
        _say(f"  {killed.name}: {alert['type']} at rest after {killed.rest_s[-1]:.1f} s, {killed.kills} kills so far")
    # What dead workers held comes back when its time is up: it must change nothing.
    _wait(lambda: not ground.records.messages(), "the queues are empty", within_s=_DRAIN_S)
    killed.ends[-1] = ground.ends(killed)
    ground.measure(quiet)
    ground.measure(killed)
    found = compare(ground, quiet, killed)
    for run, bound_ms in ((quiet, LIVING_BOUND_MS), (killed, KILLED_BOUND_MS)):
        if run.longest_naked_ms > bound_ms:
            found.append(f"{run.name}: a position without a stop for {run.longest_naked_ms} ms, {bound_ms} at most")
    return found


def _table(quiet: Run, killed: Run) -> str:
    rows = [
        ("", quiet.name, killed.name),
        ("kills of all workers", "0", str(killed.kills)),
        *((f"  {name} killed", "", str(number)) for name, number in sorted(killed.killed.items())),
        ("positions without a stop when killed", "", str(killed.naked_when_killed)),
        ("deliveries of the two alerts", str(quiet.deliveries), str(killed.deliveries)),
        ("messages that moved an execution", str(quiet.messages), str(killed.messages)),
        ("entries later than a minute", str(quiet.late), str(killed.late)),
        ("requests to the exchange", str(quiet.requests), str(killed.requests)),
        ("at rest after, s", *(" ".join(f"{one:.1f}" for one in run.rest_s) for run in (quiet, killed))),
        ("longest without a stop, ms", str(quiet.longest_naked_ms), str(killed.longest_naked_ms)),
        ("market orders that filled", _fills(quiet), _fills(killed)),
    ]
    return table(rows)


def _fills(run: Run) -> str:
    return str(sum(len(end.market_fills) for end in run.ends[-1]))


def _verdict(found: Sequence[str]) -> int:
    for line in found[:40]:
        _say(f"  {line}")
    if len(found) > 40:  # noqa: PLR2004 - a screen
        _say(f"  … {len(found) - 40} more")
    if found:
        _say(f"\nkills: {len(found)} claims did not hold (seed {SEED})")
        return 1
    _say("\nkills: 0 differences, 0 duplicates, 0 dead letters, no position without a stop beyond its bound")
    return 0


def _wait(condition: Callable[[], bool], what: str, *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise NotReady(f"gave up after {within_s:.0f} s waiting until {what}")
        time.sleep(1.0)  # asking costs the machine that is measured


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
