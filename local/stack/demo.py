"""Fires the demo alert and shows what became of each follower, then a warning near a plan's maximum. Seeds nothing."""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from shared.clock import utc_now
from shared.config import settings
from shared.messages import KeyMessage, send_keys
from shared.models.balance_day import BalanceDay
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.key_balance import KeyBalance
from shared.models.notice import Notice
from shared.models.notification_setting import SETTING_ID, NotificationSetting
from shared.models.subscription import Subscription
from shared.models.user import User
from shared.notifications.kinds import NoticeKind, from_json
from shared.notifications.recipients import ADMINS, to_user
from shared.notifications.wording import wording
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
_NEAR_SWITCHES = ("notify_user_reach_near_max_balance", "notify_admin_user_reach_near_max_balance")
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


def warn(session: dict[str, str], follower: dict[str, Any]) -> list[str]:
    """Let a follower deposit up to near the plan's maximum, record the balance, and return what came of it, in lines.

    The money goes back afterwards, and the switches are as they were.
    """
    key = ExchangeKey.get(follower["api_key_id"])
    wallet = _answer(f"{session['exchange']}/paper/accounts/{key.api_key}")["walletBalance"]
    plan = Subscription.get(User.get(key.user_id).subscription_id)
    deposit = Decimal(plan.max_balance_usd) * 92 / 100
    with _switches_on():
        _set_wallet(session, key, deposit)
        _record_balance(key)
    days = ", ".join(f"{day.date} {_plain(day.total_usd)} USD" for day in BalanceDay.query(key.id))
    told = [f"  told: {wording(from_json(NoticeKind(one.kind), one.content)).title}" for one in _warnings(key)]
    _set_wallet(session, key, Decimal(wallet))
    _record_balance(key)
    title = f"{follower['name']} deposits up to {_plain(deposit)} USDT, and the plan allows {plan.max_balance_usd}."
    return [f"  {title}", f"  balance history: {days}", *told]


@contextmanager
def _switches_on() -> Iterator[None]:
    setting = NotificationSetting.get(SETTING_ID)
    before = {name: getattr(setting, name) for name in _NEAR_SWITCHES}
    setting.update(actions=[getattr(NotificationSetting, name).set(True) for name in _NEAR_SWITCHES])
    yield
    setting.update(actions=[getattr(NotificationSetting, name).set(value) for name, value in before.items()])


def _set_wallet(session: dict[str, str], key: ExchangeKey, amount: Decimal) -> None:
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{session['exchange']}/paper/accounts/{key.api_key}",
        data=json.dumps({"balances": {"USDT": str(amount)}}).encode(),
        headers={"Content-Type": "application/json"},
        method="PUT",
    )
    _answer(request)


def _record_balance(key: ExchangeKey) -> None:
    """Ask for a recording, and wait until it is done and told."""
    asked_at, queue_url = utc_now(), settings().balances_queue_url
    send_keys([KeyMessage(api_key_id=key.id, asked_at=asked_at)], queue_url=queue_url)
    deadline = time.monotonic() + _TIMEOUT_S
    while (found := KeyBalance.find(key.id)) is None or found.updated_at < asked_at or _untold(key, found):
        if time.monotonic() > deadline:
            sys.exit(f"no balance was recorded within {_TIMEOUT_S} s")
        time.sleep(0.05)


def _untold(key: ExchangeKey, balance: KeyBalance) -> bool:
    return balance.near_since is not None and len(_warnings(key)) < len(_NEAR_SWITCHES)


def _warnings(key: ExchangeKey) -> list[Notice]:
    """Return what the key's user and the admins were told of a balance near the maximum."""
    found = (one.id for recipient in (to_user(key.user_id), ADMINS) for one in Notice.by_recipient.query(recipient))
    kinds = {NoticeKind.NEAR_MAXIMUM, NoticeKind.USER_NEAR_MAXIMUM}
    return [one for one in Notice.find_many(found, consistent=True).values() if one.kind in kinds]


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
    arguments = parser.parse_args()
    session = json.loads(arguments.session.read_text(encoding="utf-8"))
    followers = json.loads(arguments.seed.read_text(encoding="utf-8"))["followers"]
    executions = wait_for_all(fire(session), followers)
    outcomes = []
    for follower, execution in zip(followers, executions, strict=True):
        account = _answer(f"{session['exchange']}/paper/accounts/{follower['api_key']}")
        outcomes.append(Outcome(follower, execution, account["openOrders"]))
    print(table([outcome.cells() for outcome in outcomes]))
    print("\n".join(["", *warn(session, followers[0])]))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
