"""Plays the same alerts to strategies of one local stack, and measures their runs. Kills only when asked to."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.bench.books import Exchange
from local.faults.stack.end_state import EndState, end_state, is_naked, naked_times, split_at
from local.faults.stack.firing import post_alert
from local.faults.stack.records import Records
from local.faults.stack.workers import kill_workers
from local.stack.places import STACK_NAME, NotReady
from local.stack.running import Running
from shared.trading.ids import execution_id

_EXITS = 3
"""Open orders of a position: a stop and two take-profits."""
_REST_S = 300.0
_DELIVERIES = 4
_USUAL_MAX_AGE_S = 60
BUY = {"type": "buy", "stop": "19700", "takeProfitPrice1": "20300", "takeProfitPrice2": "20600"}
SELL = {"type": "sell", "stop": "20300", "takeProfitPrice1": "19700", "takeProfitPrice2": "19400"}
_ALERT = {"orderPrice": "20000", "stopType": "Market", "takeProfit": "NaN", "takeProfitPrice3": "NaN", "winRate": "NaN"}


@dataclass(slots=True)
class Run:
    """One strategy's run through the alerts, and its figures."""

    name: str
    seeded: dict[str, Any]
    triggers: list[str] = field(default_factory=list)
    end_states: list[list[EndState]] = field(default_factory=list)
    """Each follower's, after each alert."""
    killed_at_ms: list[float] = field(default_factory=list)
    """When all workers were killed."""
    killed: Counter[str] = field(default_factory=Counter)
    naked_when_killed: int = 0
    """Positions without a stop at the moment of a kill."""
    deliveries: int = 0
    """How often an alert was sent: again after an error, as TradingView does."""
    at_rest_after_s: list[float] = field(default_factory=list)
    longest_naked_ms: int = 0
    longest_between_kills_ms: int = 0
    """With no kill meanwhile: the bound starts anew when the next worker is killed, too."""
    most_kills_while_naked: int = 0
    late_entries: int = 0
    """Entries that filled after the usual maximum age of an alert."""
    effective_messages: int = 0
    """Messages that changed an execution: each one takes the lease under an owner id of its own."""
    requests: int = 0

    @property
    def keys(self) -> list[str]:
        """The followers' API keys at the exchange."""
        return [follower["api_key"] for follower in self.seeded["followers"]]


class Runner:
    """Plays alerts on one stack."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.exchange = Exchange(running.places.exchange_url)
        self.records = Records(running.places)

    def books(self, run: Run) -> list[dict[str, Any]]:
        """Return the books of the followers' accounts."""
        with ThreadPoolExecutor(8) as pool:
            return [book for (book,) in pool.map(lambda key: self.exchange.books([key]), run.keys)]

    def executions(self, run: Run, trigger_id: str) -> list[dict[str, Any] | None]:
        """Return the followers' executions of a trigger; None for one that is missing."""
        ids = [execution_id(trigger_id, follower["id"]) for follower in run.seeded["followers"]]
        found = self.records.executions(ids)
        return [found.get(one) for one in ids]

    def play(self, run: Run, alert: dict[str, str], kills: Callable[[Run], None] | None = None) -> None:
        """Fire one alert, with `kills` beside it if given, and return when everything is at rest."""
        began = time.monotonic()
        body = {"strategy": run.seeded["strategy_id"], "secret": run.seeded["webhook_secret"]} | _ALERT | alert
        with ThreadPoolExecutor(1) as pool:
            killing = pool.submit(kills, run) if kills else None
            run.triggers.append(self._fire(run, body))
            if killing:
                killing.result()
        try:
            wait_until(lambda: self._at_rest(run), f"everything of {run.name} is at rest", within_s=_REST_S)
        except NotReady as error:
            found = Counter(str(one and one["state"]) for one in self.executions(run, run.triggers[-1]))
            raise NotReady(f"{error}: {dict(found)}") from error
        run.at_rest_after_s.append(time.monotonic() - began)
        run.end_states.append(self.end_states(run))

    def _fire(self, run: Run, body: dict[str, str]) -> str:
        for _ in range(_DELIVERIES):
            run.deliveries += 1
            answer = post_alert(f"{self.running.places.webhook_url}/v1/webhook/strategy", body)
            if answer.trigger_id:
                return answer.trigger_id
            time.sleep(2.0)
        raise NotReady(f"the webhook refused an alert {_DELIVERIES} times: {answer.status}")

    def _at_rest(self, run: Run) -> bool:
        *before, last = [self.executions(run, trigger_id) for trigger_id in run.triggers]
        if not all(one and is_over(one) for group in before for one in group):
            return False
        if not all(one and (one["state"] == "PROTECTED" or is_over(one)) for one in last):
            return False
        # Take-profits are placed after the stop.
        return all(not book["positions"] or len(book["openOrders"]) == _EXITS for book in self.books(run))

    def end_states(self, run: Run) -> list[EndState]:
        """Return the followers' present end states."""
        groups = [self.executions(run, trigger_id) for trigger_id in run.triggers]
        return [
            end_state(book, executions)
            for book, executions in zip(self.books(run), zip(*groups, strict=True), strict=True)
        ]

    def kill(self, run: Run) -> None:
        """Kill every worker."""
        run.killed += kill_workers(self.running.aws_pid, stack_name=STACK_NAME)
        run.killed_at_ms.append(time.time() * 1000)
        # No worker is left that could change anything meanwhile.
        run.naked_when_killed += sum(is_naked(book) for book in self.books(run))

    def measure(self, run: Run) -> None:
        """Compute the figures of the whole run."""
        now_ms = time.time() * 1000
        books = self.books(run)
        naked = [span for book in books for span in naked_times(book, now_ms=now_ms)]
        between_kills = [split_at(span, run.killed_at_ms) for span in naked]
        run.longest_naked_ms = max((span.duration_ms for span in naked), default=0)
        run.longest_between_kills_ms = max((part.duration_ms for parts in between_kills for part in parts), default=0)
        run.most_kills_while_naked = max((len(parts) - 1 for parts in between_kills), default=0)
        run.requests = sum(sum(book["requests"].values()) for book in books)
        executions = [one for trigger_id in run.triggers for one in self.executions(run, trigger_id) if one]
        run.effective_messages = sum(len(self.records.workers_of(one["id"])) for one in executions)
        run.late_entries = sum(_fill_age_s(one) > _USUAL_MAX_AGE_S for one in executions)


def is_over(execution: dict[str, Any]) -> bool:
    """Return whether an execution has ended."""
    # An absent entry is watched for a day.
    return "open_shard" not in execution or execution.get("reason") == "ENTRY_UNKNOWN"


def _fill_age_s(execution: dict[str, Any]) -> float:
    filled_at = execution.get("entry_filled_at")
    return (_moment(filled_at) - _moment(execution["received_at"])).total_seconds() if filled_at else 0.0


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def wait_until(condition: Callable[[], bool], what: str, *, within_s: float, poll_s: float = 1.0) -> None:
    """Return when the condition holds; raise NotReady with `what` after `within_s`."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise NotReady(f"gave up after {within_s:.0f} s waiting until {what}")
        time.sleep(poll_s)  # polling takes CPU from what is measured
