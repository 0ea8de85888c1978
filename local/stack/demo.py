"""Fires the demo alert and shows what became of each follower: `python -m local.stack.demo`. Seeds nothing."""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from local.stack.demo_report import begin_reports, wait_for_letter
from local.telegram.bot import messages
from shared.models.execution import Execution
from shared.trading.execution import ExecutionState, is_active
from shared.trading.ids import execution_id

_ALERT = {
    "orderPrice": "20000",
    "type": "buy",
    "stop": "19700",
    "stopType": "Market",
    "takeProfit": "NaN",
    "takeProfitPrice1": "20300",
    "takeProfitPrice2": "20600",
    "takeProfitPrice3": "21000",
    "winRate": "NaN",
}
_TIMEOUT_S = 60
_HEADINGS = ("follower", "profile", "equity", "amount", "entry", "stop", "take-profits", "ms to protected")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One follower's answer to the alert."""

    follower: dict[str, Any]
    execution: Execution
    open_orders: list[dict[str, Any]]

    def cells(self) -> tuple[str, ...]:
        """Return the table's row, or the reason why there is no position."""
        execution = self.execution
        name, profile = self.follower["name"], f"{self.follower['profile']} {self.follower['percentage']} %"
        if execution.state is not ExecutionState.PROTECTED or execution.protected_at is None:
            reason = execution.reason or "no reason"
            return (name, profile, "", "", "", "", f"{execution.state.value}: {reason}", "")
        took = execution.protected_at - execution.received_at
        return (
            name,
            profile,
            _plain(execution.equity),
            _plain(execution.amount),
            _plain(execution.entry_price),
            " ".join(self._stops()),
            " ".join(self._take_profits()),
            f"{took.total_seconds() * 1000:.0f}",
        )

    def _stops(self) -> list[str]:
        stops = (order.get("triggerPrice") or order.get("stopPrice") for order in self.open_orders)
        return [_plain(Decimal(price)) for price in stops if price and Decimal(price)]

    def _take_profits(self) -> list[str]:
        limits = [order for order in self.open_orders if order.get("type") == "LIMIT"]
        limits.sort(key=lambda order: Decimal(order["price"]))
        return [f"{_plain(Decimal(order['origQty']))} @ {_plain(Decimal(order['price']))}" for order in limits]


def fire(session: dict[str, str]) -> str:
    """Send the demo's alert as TradingView would, and return the trigger's id."""
    body = {"strategy": session["strategyId"], "secret": session["webhookSecret"], **_ALERT}
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{session['webhook']}/v1/webhook/strategy",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    trigger_id: str = _answer(request)["id"]
    return trigger_id


def wait_for_all(trigger_id: str, followers: list[dict[str, Any]]) -> list[Execution]:
    """Return the followers' executions once each is protected or has ended; after a minute, as they are."""
    ids = [execution_id(trigger_id, follower["id"]) for follower in followers]
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        found = Execution.find_many(ids, consistent=True)
        settled = [one for one in found.values() if one.state is ExecutionState.PROTECTED or not is_active(one.state)]
        if len(settled) == len(ids):
            return [found[one] for one in ids]
        if time.monotonic() > deadline:
            sys.exit(f"only {len(settled)} of {len(ids)} followers had an answer after {_TIMEOUT_S} s")
        time.sleep(0.1)


def wait_for_message(telegram: str, chat_id: str) -> str:
    """Return, on one line, what a chat was told of its entry; after a minute, that it was told nothing."""
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        for message in messages(telegram, chat_id):
            if "position" in message["text"]:
                return " · ".join(message["text"].splitlines())
        time.sleep(0.2)
    return f"nothing within {_TIMEOUT_S} s"


def table(rows: list[tuple[str, ...]]) -> str:
    """Return the rows under their headings, in columns."""
    widths = [max(len(cell) for cell in column) for column in zip(_HEADINGS, *rows, strict=True)]
    lines = [_HEADINGS, tuple("─" * width for width in widths), *rows]
    return "\n".join("  " + "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _answer(request: urllib.request.Request | str) -> Any:
    with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310 - our own server
        return json.load(answer)


def _plain(number: Decimal | None) -> str:
    return "" if number is None else f"{number.normalize():f}"


def main() -> None:
    """Fire, wait, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("session", type=Path)
    parser.add_argument("seed", type=Path)
    parser.add_argument("report_sender", help="the name of the deployed function ReportSender")
    arguments = parser.parse_args()
    session = json.loads(arguments.session.read_text(encoding="utf-8"))
    seed = json.loads(arguments.seed.read_text(encoding="utf-8"))
    followers = seed["followers"]
    executions = wait_for_all(fire(session), followers)
    period = begin_reports(session, arguments.report_sender)
    outcomes = []
    for follower, execution in zip(followers, executions, strict=True):
        account = _answer(f"{session['exchange']}/paper/accounts/{follower['api_key']}")
        outcomes.append(Outcome(follower, execution, account["openOrders"]))
    print(table([outcome.cells() for outcome in outcomes]))
    print(f"\n  Telegram to {followers[0]['name']}: {wait_for_message(session['telegram'], seed['chat_id'])}")
    letter = wait_for_letter(session, followers[0]["api_key_id"], period)
    print(f"  Weekly report to {followers[0]['name']}, of made-up days: {letter}")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
