"""A strategy of its own for each test, with as many followers as the test wants."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.acceptance import Acceptance, accept_alert
from shared.clock import utc_now
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.models.trigger import Trigger
from shared.models.user import User
from shared.trading.ids import execution_id
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal
from tests import builders
from tests.builders import saved

SECRET = "a webhook secret"
BUY = Signal(
    side=Side.BUY,
    order_price=Decimal(20000),
    stop=Decimal(19900),
    stop_type=StopType.MARKET,
    take_profits=(Decimal(20100),),
)


@dataclass(frozen=True, slots=True)
class Following:
    """A strategy and its followers."""

    strategy: Strategy
    followers: list[Follower]

    def accept(self, signal: Signal, **options: Any) -> Acceptance:
        """Accept an alert as the webhook does."""
        options = {"received_at": utc_now()} | options
        return accept_alert(self.strategy, signal, alerts=StrategyAlerts.find(self.strategy.id), **options)

    def executions(self, trigger_id: str) -> list[Execution]:
        """Return the executions of a trigger in the order of the followers."""
        ids = [execution_id(trigger_id, follower.id) for follower in self.followers]
        found = Execution.find_many(ids, consistent=True)
        return [found[identity] for identity in ids if identity in found]

    def triggers(self) -> list[Trigger]:
        """Return every trigger of the strategy in the order of `seq`."""
        return [Trigger.get(found.id) for found in Trigger.by_strategy.query(self.strategy.id)]


def store_strategy(number_of_followers: int, *, created_at: datetime | None = None) -> Following:
    """Store a strategy with followers that each have a user and a key of their own."""
    at = created_at or utc_now() - timedelta(days=1)
    strategy = saved(builders.strategy(at=at, webhook_secret_hash=hashlib.sha256(SECRET.encode()).hexdigest()))
    profile = saved(builders.risk_profile(at=at))
    plan = saved(builders.plan(at=at))
    followers: list[Follower] = []
    with User.batch_write() as users, ExchangeKey.batch_write() as keys, Follower.batch_write() as batch:
        for _ in range(number_of_followers):
            user = builders.user(at=at, plan_id=plan.id)
            key = builders.exchange_key(at=at, user_id=user.id)
            users.save(user)
            keys.save(key)
            follower = builders.follower(
                strategy_id=strategy.id, user_id=user.id, api_key_id=key.id, risk_profile_id=profile.id, at=at
            )
            batch.save(follower)
            followers.append(follower)
    followers.sort(key=lambda follower: follower.created_key)
    return Following(strategy, followers)
