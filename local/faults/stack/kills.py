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
from collections.abc import Callable, Sequence

from local.faults.stack.end_state import has_stop, is_naked
from local.faults.stack.ground import BUY, SELL, Ground, Run, wait_until
from local.faults.stack.table import table
from local.stack.places import NotReady, Places, Ports
from local.stack.running import LocalStack

FOLLOWERS = int(os.environ.get("FOLLOWERS", "") or "50")
SEED = int(os.environ.get("KILLS_SEED", "") or "1")
ROUNDS = int(os.environ.get("ROUNDS", "") or "6")
LATENCY_MS = int(os.environ.get("LATENCY_MS", "") or "50")

MAX_ALERT_AGE_S = int(os.environ.get("MAX_ALERT_AGE_S", "") or "600")
"""Kills may go on for longer than an alert is usually fresh: what is looked at is whether anything is lost."""

KILLED_BOUND_MS, LIVING_BOUND_MS = 25_000, 5_000
"""For a position without a stop, from the last kill on: whoever comes to help may be killed like the one before."""
_KILLING_S = 20.0
"""Over which a run's kills are spread: the first road and the looks that follow it."""
_ACCEPTED_S, _DRAIN_S = 120.0, 300.0
_CHASE_S, _CHASE_NAKED_S = 4.0, 45.0
_CUT_OFF, _CUTS = 6, 8
"""Followers whose requests for a stop are cut off, and how many each: fewer than make the worker give up."""


def kill_at_random(ground: Ground, chance: random.Random, *, rounds: int, over_s: float) -> Callable[[Run], None]:
    """Return kills at random moments: the first while the alert comes in, the others where the exchange is at work.

    Every other one of those catches a position without its stop: some followers' first requests for one are cut off.
    """

    def kills(run: Run) -> None:
        accepted, began_ms = len(run.triggers) + 1, time.time() * 1000
        time.sleep(chance.uniform(0.05, 1.0))
        ground.kill(run)
        # An alert is sent four times at most: the webhook is killed once.
        wait_until(lambda: len(run.triggers) == accepted, "the alert is accepted", within_s=_ACCEPTED_S, poll_s=0.05)
        began = time.monotonic()
        for number, at_s in enumerate(sorted(chance.uniform(0, over_s) for _ in range(rounds - 1))):
            if number % 2 == 0:
                keys = _cut_stops_off(ground, run, chance, since_ms=began_ms)
                chase_naked(ground, keys)
            else:
                time.sleep(max(began + at_s - time.monotonic(), 0))
                chase(ground, run)
                time.sleep(chance.uniform(0, 0.3))
            ground.kill(run)
            ground.exchange.control("DELETE", "/paper/faults")

    return kills


def _cut_stops_off(ground: Ground, run: Run, chance: random.Random, *, since_ms: float) -> list[str]:
    """Let the first requests for a stop be lost for some followers that have none of this alert; return their keys."""
    waiting = [book["apiKey"] for book in ground.books(run) if not has_stop(book, since_ms=since_ms)]
    chosen = chance.sample(waiting, min(_CUT_OFF, len(waiting)))
    for key in chosen:
        fault = {"method": "POST", "path": "/fapi/v1/algoOrder", "kind": "drop_before", "times": _CUTS, "apiKey": key}
        ground.exchange.control("POST", "/paper/faults", fault)
    return chosen


def chase_naked(ground: Ground, keys: Sequence[str]) -> None:
    """Return when one of the accounts holds a position without a stop, or after a while."""
    give_up_at_s = time.monotonic() + _CHASE_NAKED_S
    while keys and time.monotonic() < give_up_at_s:
        if any(is_naked(book) for book in ground.exchange.books(keys)):
            return


def chase(ground: Ground, run: Run) -> None:
    """Return when the exchange hears from the run's followers, or after a while."""
    give_up_at_s = time.monotonic() + _CHASE_S
    before: int | None = None
    while time.monotonic() < give_up_at_s:
        heard = sum(sum(book["requests"].values()) for book in ground.books(run))
        if before is not None and heard > before:
            return
        before = heard


def compare(ground: Ground, quiet: Run, killed: Run) -> list[str]:
    """Return whatever is not as it was in the quiet run, or must not be in any."""
    found = []
    for number, (ours, theirs) in enumerate(zip(killed.ends, quiet.ends, strict=True), start=1):
        for follower, (one, other) in enumerate(zip(ours, theirs, strict=True), start=1):
            found += [f"alert {number}, follower {follower}: {text}" for text in one.differences(other)]
            found += [f"alert {number}, follower {follower}: {text}" for text in one.faults()]
    found += [f"quiet run, follower: {text}" for end in quiet.ends[-1] for text in end.faults()]
    for run in (quiet, killed):
        found += [f"{run.name}: {text}" for text in _trigger_faults(ground, run)]
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
    stack = LocalStack(Places(Ports.reserve_free()), followers=FOLLOWERS, report=_say, parameters=age)
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
    for alert in (BUY, SELL):
        ground.play(quiet, alert)
        _say(f"  {quiet.name}: {alert['type']} at rest after {quiet.rest_s[-1]:.1f} s")
    for alert in (BUY, SELL):
        ground.play(killed, alert, kill_at_random(ground, chance, rounds=ROUNDS, over_s=_KILLING_S))
        rest = f"{alert['type']} at rest after {killed.rest_s[-1]:.1f} s"
        _say(f"  {killed.name}: {rest}, {len(killed.kills_ms)} kills so far")
    # What dead workers held comes back when its time is up: it must change nothing.
    wait_until(lambda: not ground.records.messages(), "the queues are empty", within_s=_DRAIN_S)
    killed.ends[-1] = ground.ends(killed)
    ground.measure(quiet)
    ground.measure(killed)
    found = compare(ground, quiet, killed)
    if dead := ground.records.dead_letters():
        found.append(f"{dead} dead letters")
    for run, bound_ms in ((quiet, LIVING_BOUND_MS), (killed, KILLED_BOUND_MS)):
        if run.longest_left_naked_ms > bound_ms:
            found.append(
                f"{run.name}: a position without a stop for {run.longest_left_naked_ms} ms, {bound_ms} at most"
            )
    return found


def _table(quiet: Run, killed: Run) -> str:
    rows = [
        ("", quiet.name, killed.name),
        ("kills of all workers", "0", str(len(killed.kills_ms))),
        *((f"  {name} killed", "", str(number)) for name, number in sorted(killed.killed.items())),
        ("positions without a stop when killed", "", str(killed.naked_when_killed)),
        ("deliveries of the two alerts", str(quiet.deliveries), str(killed.deliveries)),
        ("messages that moved an execution", str(quiet.messages), str(killed.messages)),
        ("entries later than a minute", str(quiet.late), str(killed.late)),
        ("requests to the exchange", str(quiet.requests), str(killed.requests)),
        ("at rest after, s", *(" ".join(f"{one:.1f}" for one in run.rest_s) for run in (quiet, killed))),
        ("longest without a stop, ms", str(quiet.longest_naked_ms), str(killed.longest_naked_ms)),
        ("  with no kill meanwhile, ms", str(quiet.longest_left_naked_ms), str(killed.longest_left_naked_ms)),
        ("  kills meanwhile, at most", "0", str(killed.most_kills_while_naked)),
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


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
