"""Notifies a user and the admins when a key's balance comes near its plan's maximum, or above it.

`trading.plan_maximum` holds the rule. A plan's maximum applies to one account: the executor denies an entry by the
balance of the key that would trade. So only keys that trade automatically have crossings, each its own.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from shared.clock import to_iso
from shared.config import settings
from shared.models.exchange_key import ExchangeKey
from shared.models.key_balance import KeyBalance
from shared.models.plan import Plan
from shared.models.user import User
from shared.notifications.notice_types import AboveMaximum, NearMaximum, UserNearMaximum
from shared.notifications.notices import notify
from shared.notifications.recipients import ADMINS, to_user
from shared.trading import plan_maximum
from shared.trading.plan_maximum import Crossings


def update_crossings(key: ExchangeKey, before: KeyBalance | None, total_usd: Decimal, *, at: datetime) -> Crossings:
    """Return the key's crossings of its plan's maximum after another balance."""
    plan = _plan_of(User.find(key.user_id)) if key.trades_automatically else None
    return plan_maximum.update_crossings(
        Crossings() if before is None else Crossings(before.near_since, before.above_since),
        total_usd,
        maximum_usd=None if plan is None else Decimal(plan.max_balance_usd),
        near_pct=settings().near_maximum_pct,
        at=at,
    )


def notify_crossings(key: ExchangeKey, balance: KeyBalance) -> None:
    """Queue the notices of a key's crossings; repeatable, each is sent once for each crossing."""
    if balance.near_since is None and balance.above_since is None:
        return
    user = User.find(key.user_id)
    plan = _plan_of(user)
    if user is None or plan is None:
        return
    total, maximum = balance.total_usd, Decimal(plan.max_balance_usd)
    unpriced = tuple(balance.unpriced or ())
    if (near := balance.near_since) is not None:
        cause = f"{key.id} near since {to_iso(near)}"
        to_owner = NearMaximum(plan_name=plan.name, balance_usd=total, max_balance_usd=maximum, unpriced=unpriced)
        notify(to_owner, to=to_user(user.id), cause=cause, at=near)
        to_admins = UserNearMaximum(
            user_id=user.id,
            user_name=f"{user.first_name} {user.last_name}".strip(),
            user_email=user.email,
            plan_name=plan.name,
            balance_usd=total,
            max_balance_usd=maximum,
            unpriced=unpriced,
        )
        notify(to_admins, to=ADMINS, cause=cause, at=near)
    if (above := balance.above_since) is not None:
        above_maximum = AboveMaximum(plan_name=plan.name, balance_usd=total, max_balance_usd=maximum, unpriced=unpriced)
        notify(above_maximum, to=to_user(user.id), cause=f"{key.id} above since {to_iso(above)}", at=above)


def _plan_of(user: User | None) -> Plan | None:
    return None if user is None or user.plan_id is None else Plan.find(user.plan_id)
