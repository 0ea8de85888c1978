"""Creates what a world begins with: a strategy, a plan, followers with keys and accounts."""

from __future__ import annotations

import hashlib
import random
import uuid
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from local.faults.worlds.exchange import WatchedExchange
from shared.clock import to_iso, utc_now
from shared.models.base import created_key
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.models.follower import Follower
from shared.models.plan import Plan
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.user import User

FOLLOWERS = 5


@dataclass(frozen=True, slots=True)
class Person:
    """A user with a key, following the strategy."""

    user: User
    key: ExchangeKey
    record: Follower


def create_strategy_and_followers(exchange: WatchedExchange, dice: random.Random) -> tuple[Strategy, list[Person]]:
    """Store a strategy and its followers, open their accounts, and draw the exchange's settings."""
    before = utc_now() - timedelta(minutes=1)
    times: dict[str, Any] = {"created_at": before, "updated_at": before}
    plan = Plan(_id(), created_key=_id(), name="STANDARD", max_balance_usd=50_000, max_api_key=5, **times)
    plan.save()
    profile = RiskProfile(_id(), created_key=_id(), name="CONSERVATIVE", percentage=Decimal("1.5"), **times)
    profile.save()
    strategy = Strategy(
        _id(),
        created_key=_id(),
        name="S",
        exchange_id="BINANCE",
        symbol="BTC/USDT",
        report_api_key="report",
        report_secret_ciphertext=b"-",
        webhook_secret_hash=hashlib.sha256(b"secret").hexdigest(),
        **times,
    )
    strategy.save()
    people = [_follower(exchange, dice, strategy, plan, profile, times) for _ in range(FOLLOWERS)]
    _draw_exchange_settings(exchange, dice)
    return strategy, people


def _follower(  # noqa: PLR0917 - the records that a follower refers to
    exchange: WatchedExchange,
    dice: random.Random,
    strategy: Strategy,
    plan: Plan,
    profile: RiskProfile,
    times: dict[str, Any],
) -> Person:
    user = User(_id(), created_key=_id(), plan_id=plan.id, **times)
    user.save()
    key_id, follower_id, api_key = _id(), _id(), f"{dice.getrandbits(256):064x}"
    key = ExchangeKey(
        key_id,
        user_id=user.id,
        created_key=_id(),
        trade_type=TradeType.FUTURES,
        strategy_type=StrategyType.AUTOMATED,
        api_key=api_key,
        secret_ciphertext=api_key.encode(),
        **times,
    )
    key.save()
    # Most balances are large, some are small, some too small for any order.
    balance = dice.choices(("10000", "3217.55", "24000", "700", "60"), weights=(4, 3, 3, 1, 1))[0]
    account = {"apiKey": api_key, "secret": api_key, "balances": {"USDT": balance}}
    exchange.controls.create_account(account, exchange.now_ms())
    record = Follower(
        strategy.id,
        created_key(to_iso(times["created_at"]), follower_id),
        id=follower_id,
        api_key_id=key_id,
        symbol="BTC/USDT",
        user_id=user.id,
        risk_profile_id=profile.id,
        **times,
    )
    record.save()
    return Person(user, key, record)


def _draw_exchange_settings(exchange: WatchedExchange, dice: random.Random) -> None:
    """Draw the settings in which accounts of the exchange differ, and the offset of its clock."""
    yes_or_no = (True, False)
    exchange.controls.change_settings(
        {
            "refuse_close_position_when_flat": dice.choice(yes_or_no),
            "refuse_overlapping_close": dice.choice(yes_or_no),
            "expire_close_position_when_flat": dice.choice(yes_or_no),
            "expire_reduce_only_when_flat": dice.choice(yes_or_no),
            "refuse_late_past_recv_window": True,
            "limits_enabled": False,
            "clock_offset_ms": dice.choice((0, 0, -700, 3_000, -12_000)),
        }
    )


def _id() -> str:
    return str(uuid.uuid4())
