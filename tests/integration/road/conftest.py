"""A strategy of its own for each test, with as many followers as the test wants."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from shared.acceptance import Acceptance, accept_alert
from shared.clock import to_iso, utc_now
from shared.models.base import created_key
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.plan import Plan
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.models.trigger import Trigger
from shared.models.user import User
from shared.trading.ids import execution_id
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal
from tests.integration.conftest import EmbeddedAws

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
    """A strategy and those who follow it."""

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
    record_id = str(uuid4())
    strategy = Strategy(
        id=record_id,
        created_key=created_key(to_iso(at), record_id),
        name=f"Strategy {record_id}",
        exchange_id="BINANCE",
        symbol="BTC/USDT",
        report_api_key="key",
        report_secret_ciphertext=b"sealed",
        webhook_secret_hash=hashlib.sha256(SECRET.encode()).hexdigest(),
        created_at=at,
        updated_at=at,
    )
    strategy.save()
    profile = RiskProfile(
        id=str(uuid4()),
        created_key=created_key(to_iso(at), record_id),
        name="MODERATE",
        percentage=Decimal("2.5"),
        created_at=at,
        updated_at=at,
    )
    profile.save()
    plan = Plan(
        id=str(uuid4()),
        created_key=created_key(to_iso(at), record_id),
        name="PRO",
        max_balance_usd=15000,
        max_api_key=20,
        created_at=at,
        updated_at=at,
    )
    plan.save()
    followers: list[Follower] = []
    with User.batch_write() as users, ExchangeKey.batch_write() as keys, Follower.batch_write() as batch:
        for number in range(number_of_followers):
            user = User(
                id=str(uuid4()),
                created_key=created_key(to_iso(at), str(number)),
                plan_id=plan.id,
                created_at=at,
                updated_at=at,
            )
            users.save(user)
            key = ExchangeKey(
                id=str(uuid4()),
                user_id=user.id,
                created_key=created_key(to_iso(at), str(number)),
                trade_type=TradeType.FUTURES,
                strategy_type=StrategyType.AUTOMATED,
                name=f"key {number}",
                api_key=f"api-{number}",
                secret_ciphertext=b"sealed",
                created_at=at,
                updated_at=at,
            )
            keys.save(key)
            followers.append(store_follower(strategy, user=user, key=key, profile=profile, at=at, batch=batch))
    followers.sort(key=lambda follower: follower.created_key)
    return Following(strategy, followers)


def store_follower(
    strategy: Strategy, *, user: User, key: ExchangeKey, profile: RiskProfile, at: datetime, batch: object
) -> Follower:
    """Store one follower through a batch write."""
    record_id = str(uuid4())
    follower = Follower(
        strategy_id=strategy.id,
        created_key=created_key(to_iso(at), record_id),
        id=record_id,
        api_key_id=key.id,
        symbol=strategy.symbol,
        user_id=user.id,
        risk_profile_id=profile.id,
        created_at=at,
        updated_at=at,
    )
    batch.save(follower)  # type: ignore[attr-defined]
    return follower


@pytest.fixture
def following(aws: EmbeddedAws) -> Callable[[int], Following]:
    """Return a function that stores a strategy with followers."""
    return store_strategy
