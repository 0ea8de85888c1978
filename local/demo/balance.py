"""The demo's deposit up to near the plan's maximum: the balance is recorded, the user and the admins are warned."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal

from local.demo import json_http
from shared.clock import utc_now
from shared.messages import KeyMessage, send_keys
from shared.models.balance_day import BalanceDay
from shared.models.exchange_key import ExchangeKey
from shared.models.notice import Notice
from shared.models.notification_setting import SETTING_ID, NotificationSetting
from shared.models.plan import Plan
from shared.models.user import User
from shared.notifications.notice_types import NoticeKind, from_json
from shared.notifications.recipients import ADMINS, to_user
from shared.notifications.templates import text_of
from shared.queues import Queue

_TIMEOUT_S = 60
_DEPOSIT_PCT = 92
_DAYS_SHOWN = 5
_SWITCHES = ("notify_user_reach_near_max_balance", "notify_admin_user_reach_near_max_balance")
_KINDS = {NoticeKind.NEAR_MAXIMUM, NoticeKind.USER_NEAR_MAXIMUM}


def deposit(session: Mapping[str, str], api_key_id: str) -> list[str]:
    """Deposit up to near the plan's maximum, and return lines about the recorded balance and the warnings.

    The balance and the switches are restored afterwards.
    """
    key = ExchangeKey.get(api_key_id)
    account = f"{session['exchange']}/paper/accounts/{key.api_key}"
    wallet = json_http.get(account)["walletBalance"]
    plan = Plan.get(User.get(key.user_id).plan_id)
    amount = Decimal(plan.max_balance_usd) * _DEPOSIT_PCT / 100
    with _switches_on():
        _set_wallet(account, amount)
        warnings = _wait_for_warnings(key, since=_request_record(key))
    days = [f"{day.date[5:]} {day.total_usd:,.0f}" for day in BalanceDay.query(key.id)]
    lines = [
        f"deposit up to {amount:,.0f} of the {plan.max_balance_usd:,} USD that the plan allows",
        f"balance history in USD: {', '.join(days[-_DAYS_SHOWN:])}",
    ]
    for notice in warnings:
        who = "the admins are" if notice.recipient == ADMINS else "the user is"
        lines.append(f"{who} told: {text_of(from_json(NoticeKind(notice.kind), notice.content)).title}")
    _set_wallet(account, Decimal(wallet))
    _request_record(key)
    return lines


@contextmanager
def _switches_on() -> Iterator[None]:
    setting = NotificationSetting.get(SETTING_ID)
    before = {name: getattr(setting, name) for name in _SWITCHES}
    setting.update(actions=[getattr(NotificationSetting, name).set(True) for name in _SWITCHES])
    yield
    setting.update(actions=[getattr(NotificationSetting, name).set(value) for name, value in before.items()])


def _set_wallet(account: str, amount: Decimal) -> None:
    json_http.send("PUT", account, {"balances": {"USDT": str(amount)}})


def _request_record(key: ExchangeKey) -> datetime:
    asked_at = utc_now()
    send_keys([KeyMessage(api_key_id=key.id, asked_at=asked_at)], queue=Queue.BALANCES)
    return asked_at


def _wait_for_warnings(key: ExchangeKey, *, since: datetime) -> list[Notice]:
    """Return the notices of a balance near the maximum to the key's user and to the admins."""
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        found = (one.id for to in (to_user(key.user_id), ADMINS) for one in Notice.by_recipient.query(to))
        notices = [one for one in Notice.find_many(found, consistent=True).values() if one.kind in _KINDS]
        # Kept data has those of earlier runs, too.
        warnings = [one for one in notices if one.created_at >= since]
        if len(warnings) == len(_KINDS):
            return sorted(warnings, key=lambda one: one.recipient == ADMINS)
        time.sleep(0.05)
    sys.exit(f"nobody was warned of a balance near the maximum within {_TIMEOUT_S} s")
