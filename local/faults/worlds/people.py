"""Creates what a world begins with: a plan, strategies, and followers with keys, accounts and lanes."""

from __future__ import annotations

import hashlib
import random
import uuid
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from local.faults.worlds.shape import FOLLOWERS_OF_A_LANE, Shape
from local.paper_exchange.accounts import Account
from local.simulation.exchange import WatchedExchange
from shared.clock import to_iso, utc_now
from shared.models.base import created_key
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.models.follower import Follower
from shared.models.plan import Plan
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.user import User

_FOLLOWS_ANOTHER_STRATEGY = 0.2


@dataclass(frozen=True, slots=True)
class Follows:
    """A user's key that follows one strategy."""

    user: User
    key: ExchangeKey
    record: Follower
    account: Account

    @property
    def symbol(self) -> str:
        """The exchange's name of the strategy's symbol."""
        return self.record.symbol.replace("/", "")

    @property
    def held(self) -> Decimal:
        """The account's signed amount of the symbol."""
        return self.account.position(self.symbol).amount


class People:
    """Stores the world's first records, and opens the accounts of its users."""

    def __init__(self, exchange: WatchedExchange, dice: random.Random) -> None:
        self._exchange = exchange
        self._dice = dice
        before = utc_now() - timedelta(minutes=1)
        self._times: dict[str, Any] = {"created_at": before, "updated_at": before}
        self._plan = Plan(
            _id(), created_key=_id(), name="STANDARD", max_balance_usd=50_000, max_api_key=5, **self._times
        )
        self._plan.save()
        self._profile = RiskProfile(
            _id(), created_key=_id(), name="CONSERVATIVE", percentage=Decimal("1.5"), **self._times
        )
        self._profile.save()

    def create_strategies(self, shape: Shape) -> list[Strategy]:
        """Store a strategy for each symbol."""
        return [self._create_strategy(symbol) for symbol in shape.symbols]

    def _create_strategy(self, symbol: str) -> Strategy:
        strategy = Strategy(
            _id(),
            created_key=_id(),
            name=f"S {symbol}",
            exchange_id="BINANCE",
            symbol=symbol,
            report_api_key="report",
            report_secret_ciphertext=b"-",
            webhook_secret_hash=hashlib.sha256(b"secret").hexdigest(),
            **self._times,
        )
        strategy.save()
        return strategy

    def create_followers(self, shape: Shape, strategies: list[Strategy]) -> list[Follows]:
        """Store the followers, on as many lanes as they need; some follow a second strategy with the same key."""
        people: list[Follows] = []
        for number in range(shape.followers):
            lane = f"lane-{number // FOLLOWERS_OF_A_LANE + 1}"
            strategy = self._dice.choice(strategies)
            last = _last_with_one_strategy(people)
            may_share = last is not None and last.key.egress_lane == lane and last.record.strategy_id != strategy.id
            if last is not None and may_share and self._dice.random() < _FOLLOWS_ANOTHER_STRATEGY:
                people.append(self._follow(strategy, last.user, last.key, last.account))
                continue
            user = self._create_user()
            account = self._open_account()
            people.append(self._follow(strategy, user, self._create_key(user, account.api_key, lane), account))
        return people

    def _create_user(self) -> User:
        user = User(_id(), created_key=_id(), plan_id=self._plan.id, **self._times)
        user.save()
        return user

    def _open_account(self) -> Account:
        api_key = f"{self._dice.getrandbits(256):064x}"
        # Most balances are large, some are small, some too small for any order.
        balance = self._dice.choices(("10000", "3217.55", "24000", "700", "60"), weights=(4, 3, 3, 1, 1))[0]
        account = {"apiKey": api_key, "secret": api_key, "balances": {"USDT": balance}}
        self._exchange.controls.create_account(account, self._exchange.now_ms())
        return self._exchange.venue.accounts[api_key]

    def _create_key(self, user: User, api_key: str, lane: str) -> ExchangeKey:
        key = ExchangeKey(
            _id(),
            user_id=user.id,
            created_key=_id(),
            trade_type=TradeType.FUTURES,
            strategy_type=StrategyType.AUTOMATED,
            api_key=api_key,
            secret_ciphertext=api_key.encode(),
            egress_lane=lane,
            **self._times,
        )
        key.save()
        return key

    def _follow(self, strategy: Strategy, user: User, key: ExchangeKey, account: Account) -> Follows:
        follower_id = _id()
        record = Follower(
            strategy.id,
            created_key(to_iso(self._times["created_at"]), follower_id),
            id=follower_id,
            api_key_id=key.id,
            symbol=strategy.symbol,
            user_id=user.id,
            risk_profile_id=self._profile.id,
            **self._times,
        )
        record.save()
        return Follows(user, key, record, account)


def _last_with_one_strategy(people: list[Follows]) -> Follows | None:
    if not people or (len(people) > 1 and people[-2].key is people[-1].key):
        return None
    return people[-1]


def draw_exchange_settings(exchange: WatchedExchange, dice: random.Random, shape: Shape) -> None:
    """Draw the settings in which accounts of the exchange differ, and the offset of its clock."""
    yes_or_no = (True, False)
    exchange.controls.change_settings(
        {
            "refuse_close_position_when_flat": dice.choice(yes_or_no),
            "refuse_overlapping_close": dice.choice(yes_or_no),
            "expire_close_position_when_flat": dice.choice(yes_or_no),
            "expire_reduce_only_when_flat": dice.choice(yes_or_no),
            "refuse_late_past_recv_window": True,
            "limits_enabled": shape.limits,
            "clock_offset_ms": dice.choice((0, 0, -700, 3_000, -12_000)),
        }
    )


def _id() -> str:
    return str(uuid.uuid4())
