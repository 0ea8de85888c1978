"""Strategies on their way through the same alerts on one local stack, and what they came to. Kills nothing itself."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.bench.books import Exchange
from local.faults.stack.end_state import EndState, between, end_state, is_naked, naked_times
from local.faults.stack.firing import post_alert
from local.faults.stack.records import Records
from local.faults.stack.workers import kill_workers
from local.stack.places import STACK_NAME, NotReady
from local.stack.running import Running
from shared.trading.ids import execution_id

_STANDING = 3
"""Orders at a position: a stop and two take-profits."""
_REST_S = 300.0
_DELIVERIES = 4
_USUAL_MAX_AGE_S = 60
BUY = {"type": "buy", "stop": "19700", "takeProfitPrice1": "20300", "takeProfitPrice2": "20600"}
SELL = {"type": "sell", "stop": "20300", "takeProfitPrice1": "19700", "takeProfitPrice2": "19400"}
_ALERT = {"orderPrice": "20000", "stopType": "Market", "takeProfit": "NaN", "takeProfitPrice3": "NaN", "winRate": "NaN"}


@dataclass(slots=True)
class Run:
    """One strategy on its way through the alerts."""

    name: str
    seeded: dict[str, Any]
    triggers: list[str] = field(default_factory=list)
    ends: list[list[EndState]] = field(default_factory=list)
    """After each alert, each follower's."""
    kills_ms: list[float] = field(default_factory=list)
    """When all workers were killed."""
    killed: Counter[str] = field(default_factory=Counter)
    naked_when_killed: int = 0
    """Positions without a stop at the moment of a kill."""
    deliveries: int = 0
    """Of alerts: one that was answered with an error comes again, as TradingView sends it."""
    rest_s: list[float] = field(default_factory=list)
    longest_naked_ms: int = 0
    longest_left_naked_ms: int = 0
    """Without that anybody was killed meanwhile: a bound starts anew where the one who came to help is killed too."""
    most_kills_while_naked: int = 0
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
            wait_until(lambda: self._at_rest(run), f"everything of {run.name} is at rest", within_s=_REST_S)
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
            time.sleep(2.0)
        raise NotReady(f"the webhook refused an alert {_DELIVERIES} times: {answer.status}")

    def _at_rest(self, run: Run) -> bool:
        *before, last = [self.executions(run, trigger_id) for trigger_id in run.triggers]
        if not all(one and is_over(one) for group in before for one in group):
            return False
        if not all(one and (one["state"] == "PROTECTED" or is_over(one)) for one in last):
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
        run.killed += kill_workers(self.running.aws_pid, stack_name=STACK_NAME)
        run.kills_ms.append(time.time() * 1000)
        # Nobody is left to change anything meanwhile.
        run.naked_when_killed += sum(is_naked(book) for book in self.books(run))

    def measure(self, run: Run) -> None:
        """Note what the books say of the whole run."""
        now_ms = time.time() * 1000
        books = self.books(run)
        naked = [span for book in books for span in naked_times(book, now_ms=now_ms)]
        left_alone = [between(span, run.kills_ms) for span in naked]
        run.longest_naked_ms = max((span.took_ms for span in naked), default=0)
        run.longest_left_naked_ms = max((part.took_ms for parts in left_alone for part in parts), default=0)
        run.most_kills_while_naked = max((len(parts) - 1 for parts in left_alone), default=0)
        run.requests = sum(sum(book["requests"].values()) for book in books)
        executions = [one for trigger_id in run.triggers for one in self.executions(run, trigger_id) if one]
        run.messages = sum(len(self.records.workers_of(one["id"])) for one in executions)
        run.late = sum(_fill_age_s(one) > _USUAL_MAX_AGE_S for one in executions)


def is_over(execution: dict[str, Any]) -> bool:
    """Tell whether an execution has come to its end."""
    # An entry that is proven absent is watched for a day.
    return "open_shard" not in execution or execution.get("reason") == "ENTRY_UNKNOWN"


def _fill_age_s(execution: dict[str, Any]) -> float:
    filled_at = execution.get("entry_filled_at")
    return (_moment(filled_at) - _moment(execution["received_at"])).total_seconds() if filled_at else 0.0


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def wait_until(condition: Callable[[], bool], what: str, *, within_s: float, poll_s: float = 1.0) -> None:
    """Return when the condition holds; raise NotReady with `what` when the time is over."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise NotReady(f"gave up after {within_s:.0f} s waiting until {what}")
        time.sleep(poll_s)  # asking costs the machine that is measured
