"""Lets a new customer follow, fires the demo alert, and shows each follower's result and the business around it.

Runs as `python -m local.demo`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from local.demo import json_http
from local.demo.balance import deposit
from local.demo.customer import become_customer
from local.demo.plan import change_plan
from local.demo.report import report
from local.telegram.bot import messages
from shared.models.execution import Execution
from shared.trading.execution import ExecutionState, is_active
from shared.trading.ids import execution_id
from shared.trading.risk import risk_budget, worst_loss_at_stops

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
_ENTRY_TITLES = ("position opened", "position not opened")
_TIMEOUT_S = 60
_HEADINGS = (
    "follower",
    "profile",
    "equity",
    "amount",
    "entry",
    "stop",
    "loss at the stop",
    "budget",
    "take-profits",
    "ms to protected",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of the alert for one follower."""

    follower: dict[str, Any]
    execution: Execution
    open_orders: list[dict[str, Any]]

    def cells(self) -> tuple[str, ...]:
        """Return the follower's row of the table, with the reason if there is no position."""
        execution = self.execution
        name, profile = self.follower["name"], f"{self.follower['profile']} {self.follower['percentage']} %"
        if execution.state is not ExecutionState.PROTECTED or execution.protected_at is None:
            reason = execution.reason or "no reason"
            return (name, profile, "", "", "", "", "", "", f"{execution.state.value}: {reason}", "")
        took = execution.protected_at - execution.received_at
        return (
            name,
            profile,
            _plain(execution.equity),
            _plain(execution.amount),
            _plain(execution.entry_price),
            " ".join(self._stops()),
            f"{self._loss():.2f}",
            f"{risk_budget(equity=execution.equity or Decimal(0), risk_pct=execution.risk_pct):.2f}",
            " ".join(self._take_profits()),
            f"{took.total_seconds() * 1000:.0f}",
        )

    def _loss(self) -> Decimal:
        """Return what is lost at the last stop's own price, with the taker's fees of both ways."""
        execution = self.execution
        return worst_loss_at_stops(
            side=execution.side,
            amount=execution.filled_amount or Decimal(0),
            entry_price=execution.entry_price or Decimal(0),
            stop_prices=map(Decimal, self._stops()),
            taker_rate=execution.taker_rate or Decimal(0),
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
    trigger_id: str = json_http.send("POST", f"{session['webhook']}/v1/webhook/strategy", body)["id"]
    return trigger_id


def wait_for_all(trigger_id: str, followers: list[dict[str, Any]]) -> list[Execution]:
    """Return the followers' executions once each is protected or has ended; exit after a minute."""
    ids = [execution_id(trigger_id, follower["id"]) for follower in followers]
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        found = Execution.find_many(ids, consistent=True)
        finished = [one for one in found.values() if one.state is ExecutionState.PROTECTED or not is_active(one.state)]
        if len(finished) == len(ids):
            return [found[one] for one in ids]
        if time.monotonic() > deadline:
            sys.exit(f"only {len(finished)} of {len(ids)} followers had an answer after {_TIMEOUT_S} s")
        time.sleep(0.1)


def wait_for_message(telegram: str, chat_id: str) -> list[str]:
    """Return the message about the entry in a chat, on two lines, or after a minute that none came."""
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        for message in messages(telegram, chat_id):
            if any(words in message["text"] for words in _ENTRY_TITLES):
                title, *details = filter(None, message["text"].splitlines())
                return [title, " · ".join(details)]
        time.sleep(0.2)
    return [f"nothing within {_TIMEOUT_S} s"]


def after_the_trade(session: dict[str, str], seed: dict[str, Any], execution: Execution, *, report_sender: str) -> str:
    """Return the lines about the first follower's message, report, balance and plan, read concurrently."""
    with ThreadPoolExecutor() as pool:
        message = pool.submit(wait_for_message, session["telegram"], seed["chat_id"])
        letter = pool.submit(report, session, execution.user_id, function=report_sender)
        money = pool.submit(_balance_and_plan, session, execution)
    balance, plan = money.result()
    parts = [("Telegram", message.result()), ("Report", [letter.result()]), ("Balance", balance), ("Stripe", [plan])]
    lines = [f"    {title if line is part[0] else '':10}{line}" for title, part in parts for line in part]
    return "\n".join([f"  {seed['followers'][0]['name']}, beside the trade:", *lines])


def _balance_and_plan(session: dict[str, str], execution: Execution) -> tuple[list[str], str]:
    # In this order: another plan has another maximum.
    return deposit(session, execution.api_key_id), change_plan(session, execution.user_id)


def table(rows: list[tuple[str, ...]]) -> str:
    """Return the rows as aligned text under their headings."""
    widths = [max(len(cell) for cell in column) for column in zip(_HEADINGS, *rows, strict=True)]
    lines = [_HEADINGS, tuple("─" * width for width in widths), *rows]
    return "\n".join("  " + "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _plain(number: Decimal | None) -> str:
    return "" if number is None else f"{number.normalize():f}"


def main() -> None:
    """Fire the alert, wait for its results, and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("session", type=Path)
    parser.add_argument("seed", type=Path)
    parser.add_argument("report_sender", help="the name of the deployed function ReportSender")
    arguments = parser.parse_args()
    session = json.loads(arguments.session.read_text(encoding="utf-8"))
    seed = json.loads(arguments.seed.read_text(encoding="utf-8"))
    customer = become_customer(session)
    print("\n".join(["  A new customer:", *(f"    {line}" for line in customer.lines), ""]), flush=True)
    followers = [*seed["followers"], customer.follower]
    executions = wait_for_all(fire(session), followers)
    outcomes = []
    for follower, execution in zip(followers, executions, strict=True):
        account = json_http.get(f"{session['exchange']}/paper/accounts/{follower['api_key']}")
        outcomes.append(Outcome(follower, execution, account["openOrders"]))
    print(table([outcome.cells() for outcome in outcomes]))
    print(f"\n{after_the_trade(session, seed, executions[0], report_sender=arguments.report_sender)}")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
