"""Creates what a simulation begins with: a plan, strategies, and followers with keys, accounts and lanes."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from local.paper_exchange.accounts import Account
from local.simulation.exchange import WatchedExchange
from shared.clock import to_iso, utc_now
from shared.models.base import created_key
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.models.follower import Follower
from shared.models.plan import Plan
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.user import User
from shared.queues import Queue
from shared.trading.lane_choice import FIRST_LANE

RISK_PCT = Decimal("1.5")
"""Of its equity that an account may lose at the stop of one position."""


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


def orders_queue_of(lane: str) -> str:
    """Return the URL of a lane's orders queue."""
    return Queue.ORDERS.value if lane == FIRST_LANE else f"{lane}-{Queue.ORDERS}"


class People:
    """Stores a simulation's first records, and opens the accounts of its users."""

    def __init__(self, exchange: WatchedExchange) -> None:
        self._exchange = exchange
        before = utc_now() - timedelta(minutes=1)
        self._times: dict[str, Any] = {"created_at": before, "updated_at": before}
        self._plan = Plan(
            _id(), created_key=_id(), name="STANDARD", max_balance_usd=50_000, max_api_key=5, **self._times
        )
        self._plan.save()
        self._profile = RiskProfile(_id(), created_key=_id(), name="CONSERVATIVE", percentage=RISK_PCT, **self._times)
        self._profile.save()

    def create_lanes(self, lanes: Iterable[str]) -> None:
        """Store where each lane's orders queue; the first one's queue is the deployment's own."""
        for lane in lanes:
            if lane != FIRST_LANE:
                EgressLane(lane, orders_queue_url=orders_queue_of(lane)).save()

    def create_strategy(self, symbol: str) -> Strategy:
        """Store a strategy that trades the symbol (`BTC/USDT`)."""
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

    def create_follower(self, strategy: Strategy, *, lanes: Sequence[str], api_key: str, balance_usdt: str) -> Follows:
        """Store a user who follows the strategy, with a key that names the lanes and an account of their own."""
        user = self._create_user()
        account = self._open_account(api_key, balance_usdt)
        return self._follow(strategy, user, self._create_key(user, account, api_key, lanes), account)

    def follow_with_another_key(self, follows: Follows, strategy: Strategy, *, api_key: str) -> Follows:
        """Have another key of the same account follow a strategy."""
        key = {"apiKey": api_key, "secret": api_key}
        self._exchange.controls.create_further_key(follows.account.api_key, key, self._exchange.now_ms())
        another = self._create_key(follows.user, follows.account, api_key, follows.key.named_lanes)
        return self._follow(strategy, follows.user, another, follows.account)

    def follow_too(self, follows: Follows, strategy: Strategy) -> Follows:
        """Have the same key follow another strategy, too."""
        return self._follow(strategy, follows.user, follows.key, follows.account)

    def _create_user(self) -> User:
        user = User(_id(), created_key=_id(), plan_id=self._plan.id, **self._times)
        user.save()
        return user

    def _open_account(self, api_key: str, balance_usdt: str) -> Account:
        account = {"apiKey": api_key, "secret": api_key, "balances": {"USDT": balance_usdt}}
        self._exchange.controls.create_account(account, self._exchange.now_ms())
        return self._exchange.venue.accounts[api_key]

    def _create_key(self, user: User, account: Account, api_key: str, lanes: Sequence[str]) -> ExchangeKey:
        key = ExchangeKey(
            _id(),
            user_id=user.id,
            created_key=_id(),
            trade_type=TradeType.FUTURES,
            strategy_type=StrategyType.AUTOMATED,
            api_key=api_key,
            secret_ciphertext=api_key.encode(),
            account={"apiKey": api_key, "alias": account.alias},
            egress_lane=lanes[0],
            egress_lanes=list(lanes) if len(lanes) > 1 else None,
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


def _id() -> str:
    return str(uuid.uuid4())
