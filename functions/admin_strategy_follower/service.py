"""Reads a strategy's followers for an admin. Knows no HTTP, and closes nothing: that is `closing`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from functions.admin_strategy_follower.schemas import (
    ExchangeKeyBalance,
    FollowerExchangeKey,
    FollowerItem,
    StrategyAutomatedFollowPerformance,
    StrategyRiskProfile,
    UserSubscription,
)
from shared.api.paging import Listing, listing, query_page
from shared.api.records import find_record
from shared.api.requests import ListQuery
from shared.clock import to_iso
from shared.models.exchange_key import ExchangeKey
from shared.models.follower import Follower
from shared.models.follower_performance import FollowerPerformance
from shared.models.key_balance import KeyBalance
from shared.models.plan import Plan
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.user import User


def find_strategy(strategy_id: str) -> Strategy:
    """Return the strategy; raise NotFound."""
    return find_record(Strategy, strategy_id, noun="strategy")


def list_followers(strategy: Strategy, query: ListQuery) -> Listing[FollowerItem]:
    """Return a page of the strategy's followers with their related records, newest first."""
    page = query_page(
        Follower.query,
        strategy.id,
        load=list,
        limit=query.limit,
        after=query.start,
        newest_first=True,
        consistent=True,
    )
    related = _RelatedRecords.read(page.records)
    return listing(map(related.item, page.records), token=query.token_of(page))


@dataclass(frozen=True, slots=True)
class _RelatedRecords:
    """The records that a page of followers refers to, by id: read in batches, never follower by follower."""

    keys: dict[str, ExchangeKey]
    users: dict[str, User]
    plans: dict[str, Plan]
    balances: dict[str, KeyBalance]
    profiles: dict[str, RiskProfile]
    performances: dict[str, FollowerPerformance]

    @classmethod
    def read(cls, followers: Sequence[Follower]) -> _RelatedRecords:
        """Read the records of some followers."""
        key_ids = [follower.api_key_id for follower in followers]
        users = User.find_many(follower.user_id for follower in followers)
        return cls(
            keys=ExchangeKey.find_many(key_ids),
            users=users,
            plans=Plan.find_many(user.plan_id for user in users.values() if user.plan_id),
            balances=KeyBalance.find_many(key_ids),
            profiles=RiskProfile.find_many(follower.risk_profile_id for follower in followers),
            performances=FollowerPerformance.find_many(follower.id for follower in followers),
        )

    def item(self, follower: Follower) -> FollowerItem:
        """Return a follower as documented."""
        return {
            "id": follower.id,
            "ExchangeKey": self._exchange_key(follower),
            "StrategyRiskProfile": self._risk_profile(follower),
            "StrategyAutomatedFollowPerformance": self._performance(follower),
        }

    def _exchange_key(self, follower: Follower) -> FollowerExchangeKey:
        key = self.keys.get(follower.api_key_id)
        user = self.users.get(follower.user_id)
        return {
            "id": follower.api_key_id,
            "active": key is not None and key.active,
            "User": {
                "id": follower.user_id,
                "UserProfile": {
                    "firstName": user.first_name if user else "",
                    "lastName": user.last_name if user else "",
                },
                "UserSubscription": self._subscription(user),
            },
            "ExchangeKeyBalance": self._balance(follower),
        }

    def _subscription(self, user: User | None) -> UserSubscription | None:
        plan = self.plans.get(user.plan_id) if user and user.plan_id else None
        if plan is None:
            return None
        return {"SubscriptionType": {"id": plan.id, "name": plan.name, "private": plan.private}}

    def _balance(self, follower: Follower) -> ExchangeKeyBalance | None:
        balance = self.balances.get(follower.api_key_id)
        if balance is None:
            return None
        recorded: ExchangeKeyBalance = {"totalUSD": balance.total_usd, "updatedAt": to_iso(balance.updated_at)}
        if balance.unpriced:
            recorded["unpriced"] = list(balance.unpriced)
        return recorded

    def _risk_profile(self, follower: Follower) -> StrategyRiskProfile | None:
        profile = self.profiles.get(follower.risk_profile_id)
        return {"id": profile.id, "name": profile.name} if profile else None

    def _performance(self, follower: Follower) -> StrategyAutomatedFollowPerformance | None:
        performance = self.performances.get(follower.id)
        if performance is None:
            return None
        return {
            "id": performance.id,
            "totalProfit": performance.total_profit,
            "closedBalance": performance.closed_balance,
            "updatedAt": to_iso(performance.updated_at),
        }
