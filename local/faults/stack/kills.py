"""Kills every Lambda worker several times during alerts, and compares the end with an undisturbed run.

Two strategies with equal followers get the same two alerts, the second one opposite, so that it closes and opens. One
strategy is left undisturbed. The other's workers are killed (SIGKILL) at seeded random moments, some moved to where a
position has no stop yet; the embedded AWS and the paper exchange keep running. Both must come to the same end.
"""

from __future__ import annotations

import os
import random
import sys
import time
import urllib.error
from collections.abc import Callable, Sequence

from local.faults.stack.end_state import has_stop, is_naked
from local.faults.stack.runs import BUY, SELL, Run, Runner, wait_until
from local.faults.stack.table import table
from local.stack.places import NotReady, Places, Ports
from local.stack.running import LocalStack

FOLLOWERS = int(os.environ.get("FOLLOWERS", "") or "50")
SEED = int(os.environ.get("KILLS_SEED", "") or "1")
ROUNDS = int(os.environ.get("ROUNDS", "") or "6")
LATENCY_MS = int(os.environ.get("LATENCY_MS", "") or "50")

MAX_ALERT_AGE_S = int(os.environ.get("MAX_ALERT_AGE_S", "") or "600")
"""Above the usual age, since the kills take longer: the question is whether anything is lost."""

KILLED_BOUND_MS, LIVING_BOUND_MS = 25_000, 5_000
"""Of a position without a stop, from the last kill on, since the next worker may be killed as well."""
_KILLING_S = 20.0
"""The kills are spread over this time: the first processing of an alert and the reconciliations after it."""
_ACCEPTED_S, _DRAIN_S = 120.0, 300.0
_REQUESTS_WITHIN_S, _NAKED_WITHIN_S = 4.0, 45.0
_DROPPED_FOLLOWERS, _DROPPED_REQUESTS = 6, 8
"""Followers whose stop requests are dropped, and how many of each: too few for the worker to give up."""


def kill_at_random(runner: Runner, chance: random.Random, *, rounds: int, over_s: float) -> Callable[[Run], None]:
    """Return kills at random moments: the first while the alert arrives, the others during requests to the exchange.

    Every second one of those waits for a position without a stop: some followers' stop requests are dropped.
    """

    def kills(run: Run) -> None:
        accepted, began_ms = len(run.triggers) + 1, time.time() * 1000
        time.sleep(chance.uniform(0.05, 1.0))
        runner.kill(run)
        # An alert is sent four times at most, so the webhook is killed once.
        wait_until(lambda: len(run.triggers) == accepted, "the alert is accepted", within_s=_ACCEPTED_S, poll_s=0.05)
        began = time.monotonic()
        for number, at_s in enumerate(sorted(chance.uniform(0, over_s) for _ in range(rounds - 1))):
            if number % 2 == 0:
                keys = _drop_stop_requests(runner, run, chance, since_ms=began_ms)
                wait_for_naked_position(runner, keys)
            else:
                time.sleep(max(began + at_s - time.monotonic(), 0))
                wait_for_requests(runner, run)
                time.sleep(chance.uniform(0, 0.3))
            runner.kill(run)
            runner.exchange.control("DELETE", "/paper/faults")

    return kills


def _drop_stop_requests(runner: Runner, run: Run, chance: random.Random, *, since_ms: float) -> list[str]:
    """Drop the first stop requests of some followers that have no stop of this alert yet; return their keys."""
    waiting = [book["apiKey"] for book in runner.books(run) if not has_stop(book, since_ms=since_ms)]
    chosen = chance.sample(waiting, min(_DROPPED_FOLLOWERS, len(waiting)))
    for key in chosen:
        fault = {
            "method": "POST",
            "path": "/fapi/v1/algoOrder",
            "kind": "drop_before",
            "times": _DROPPED_REQUESTS,
            "apiKey": key,
        }
        runner.exchange.control("POST", "/paper/faults", fault)
    return chosen


def wait_for_naked_position(runner: Runner, keys: Sequence[str]) -> None:
    """Return when one of the accounts holds a position without a stop, or after a time-out."""
    give_up_at_s = time.monotonic() + _NAKED_WITHIN_S
    while keys and time.monotonic() < give_up_at_s:
        if any(is_naked(book) for book in runner.exchange.books(keys)):
            return


def wait_for_requests(runner: Runner, run: Run) -> None:
    """Return when the exchange gets a request of the run's followers, or after a time-out."""
    give_up_at_s = time.monotonic() + _REQUESTS_WITHIN_S
    before: int | None = None
    while time.monotonic() < give_up_at_s:
        received = sum(sum(book["requests"].values()) for book in runner.books(run))
        if before is not None and received > before:
            return
        before = received


def compare(runner: Runner, quiet: Run, killed: Run) -> list[str]:
    """Return the differences from the quiet run, and the violations of both runs."""
    found = []
    for number, (ours, theirs) in enumerate(zip(killed.end_states, quiet.end_states, strict=True), start=1):
        for follower, (one, other) in enumerate(zip(ours, theirs, strict=True), start=1):
            found += [f"alert {number}, follower {follower}: {text}" for text in one.differences(other)]
            found += [f"alert {number}, follower {follower}: {text}" for text in one.violations()]
    found += [f"quiet run, follower: {text}" for end in quiet.end_states[-1] for text in end.violations()]
    for run in (quiet, killed):
        found += [f"{run.name}: {text}" for text in _trigger_violations(runner, run)]
    return found


def _trigger_violations(runner: Runner, run: Run) -> list[str]:
    triggers, found = runner.records.triggers(run.triggers), []
    for number, trigger_id in enumerate(run.triggers, start=1):
        trigger = triggers[trigger_id]
        open_ones = sum(bool(one and "open_shard" in one) for one in runner.executions(run, trigger_id))
        counted = runner.records.active_count(trigger_id)
        if trigger["fanout_state"] != "DONE" or "pending" in trigger:
            found.append(f"the fan-out of alert {number} is not done")
        if counted != open_ones:
            found.append(f"alert {number} counts {counted} active executions of {open_ones}")
        if trigger["active"] != bool(open_ones):
            found.append(f"alert {number} is {'active' if trigger['active'] else 'over'} with {open_ones} open")
    return found


def main() -> int:
    """Play both runs and print a table and the verdict; return 0 if every claim held."""
    age = {"MaxAlertAgeSeconds": str(MAX_ALERT_AGE_S)}
    stack = LocalStack(Places(Ports.reserve_free()), followers=FOLLOWERS, report=_say, parameters=age)
    try:
        _say(f"Kills: {FOLLOWERS} followers, seed {SEED}, {ROUNDS} rounds for each of two alerts\n")
        running = stack.start()
        runner = Runner(running)
        # The measurement is of the workers, not of the limit of one address.
        runner.exchange.control("POST", "/paper/settings", {"limits_enabled": False})
        runner.exchange.control("PUT", "/paper/latency", {"ms": LATENCY_MS})
        quiet = Run("the quiet run", running.seeded)
        killed = Run("the run with kills", running.add_strategy("KILLED", "BTC/USDT", FOLLOWERS))
        found = _play_both(runner, quiet, killed)
    except (NotReady, urllib.error.URLError) as error:
        print(f"kills: {error}", file=sys.stderr)
        return 1
    finally:
        stack.stop()
    _say("\n" + _table(quiet, killed))
    return _verdict(found)


def _play_both(runner: Runner, quiet: Run, killed: Run) -> list[str]:
    chance = random.Random(SEED)  # noqa: S311 - moments, not secrets
    for alert in (BUY, SELL):
        runner.play(quiet, alert)
        _say(f"  {quiet.name}: {alert['type']} at rest after {quiet.at_rest_after_s[-1]:.1f} s")
    for alert in (BUY, SELL):
        runner.play(killed, alert, kill_at_random(runner, chance, rounds=ROUNDS, over_s=_KILLING_S))
        rest = f"{alert['type']} at rest after {killed.at_rest_after_s[-1]:.1f} s"
        _say(f"  {killed.name}: {rest}, {len(killed.killed_at_ms)} kills so far")
    # Messages of killed workers become visible again in the end, and must change nothing.
    wait_until(lambda: not runner.records.messages(), "the queues are empty", within_s=_DRAIN_S)
    killed.end_states[-1] = runner.end_states(killed)
    runner.measure(quiet)
    runner.measure(killed)
    found = compare(runner, quiet, killed)
    if dead := runner.records.dead_letters():
        found.append(f"{dead} dead letters")
    for run, bound_ms in ((quiet, LIVING_BOUND_MS), (killed, KILLED_BOUND_MS)):
        if run.longest_between_kills_ms > bound_ms:
            found.append(
                f"{run.name}: a position without a stop for {run.longest_between_kills_ms} ms, its bound {bound_ms}"
            )
    return found


def _table(quiet: Run, killed: Run) -> str:
    rows = [
        ("", quiet.name, killed.name),
        ("kills of all workers", "0", str(len(killed.killed_at_ms))),
        *((f"  {name} killed", "", str(number)) for name, number in sorted(killed.killed.items())),
        ("positions without a stop when killed", "", str(killed.naked_when_killed)),
        ("deliveries of the two alerts", str(quiet.deliveries), str(killed.deliveries)),
        ("messages that changed an execution", str(quiet.effective_messages), str(killed.effective_messages)),
        ("entries later than a minute", str(quiet.late_entries), str(killed.late_entries)),
        ("requests to the exchange", str(quiet.requests), str(killed.requests)),
        ("at rest after, s", *(" ".join(f"{one:.1f}" for one in run.at_rest_after_s) for run in (quiet, killed))),
        ("longest without a stop, ms", str(quiet.longest_naked_ms), str(killed.longest_naked_ms)),
        (
            "  with no kill meanwhile, ms",
            str(quiet.longest_between_kills_ms),
            str(killed.longest_between_kills_ms),
        ),
        ("  kills meanwhile, at most", "0", str(killed.most_kills_while_naked)),
        ("market orders that filled", _fills(quiet), _fills(killed)),
    ]
    return table(rows)


def _fills(run: Run) -> str:
    return str(sum(len(end.fills_at_once) for end in run.end_states[-1]))


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


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
