"""What a user has of what a plan limits, and which limits of a plan it exceeds. Writes nothing.

What exceeds a limit keeps what it has: positions stay open with their stops and take-profits, keys stay connected.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from shared.models.exchange_key import ExchangeKey
from shared.models.key_balance import KeyBalance
from shared.models.plan import Plan
from shared.trading.plan_maximum import is_above


@dataclass(frozen=True, slots=True)
class PlanUse:
    """A user's keys, and the balances of the accounts that strategies trade."""

    keys: int
    balances_usd: tuple[Decimal, ...]
    """As last recorded; an account whose balance was never read is left out."""

    @property
    def largest_balance_usd(self) -> Decimal | None:
        """The balance that is compared with a plan's maximum, which applies to each account; None without one."""
        return max(self.balances_usd, default=None)


@dataclass(frozen=True, slots=True)
class PlanExcess:
    """What of a user's use a plan does not carry."""

    without_automation: bool
    """Strategies open nothing on any account."""
    accounts_above_maximum: int
    """Strategies open nothing on these."""
    keys: int
    """How many keys the user has, if more than the plan allows: no further one can be connected. Otherwise 0."""


def plan_use_of(user_id: str) -> PlanUse:
    """Return what a user has; a user has a handful of keys."""
    keys = ExchangeKey.find_many([found.id for found in ExchangeKey.by_user.query(user_id)], consistent=True)
    traded = [key.id for key in keys.values() if key.active and key.trades_automatically]
    balances = KeyBalance.find_many(traded)
    return PlanUse(len(keys), tuple(balance.total_usd for balance in balances.values()))


def excess_of(plan: Plan, use: PlanUse) -> PlanExcess:
    """Return what a plan does not carry of a use."""
    maximum = Decimal(plan.max_balance_usd)
    return PlanExcess(
        without_automation=not plan.strategy_automated and bool(use.balances_usd),
        accounts_above_maximum=sum(is_above(balance, maximum) for balance in use.balances_usd),
        keys=use.keys if use.keys > plan.max_api_key else 0,
    )
