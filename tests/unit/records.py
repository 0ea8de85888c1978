"""Records as tests need them: whole, with the documentation's own values where nothing else is said."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from shared.clock import from_iso, to_iso
from shared.models.base import created_key
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.models.execution import Execution, open_shard_of, trigger_part
from shared.models.follower import Follower
from shared.models.follower_performance import FollowerPerformance
from shared.models.key_balance import KeyBalance
from shared.models.plan import Plan
from shared.models.position_slot import PositionSlot
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.trigger import FanoutState, Trigger
from shared.models.user import User
from shared.trading import ids
from shared.trading.execution import ExecutionState, is_active
from shared.trading.sides import Side, StopType, StrategySource

STARTED_AT = from_iso("2022-09-09T01:57:36.304Z")
USER_ID = "a12565e5-567b-432a-93b2-6349653010d9"
KEY_ID = "df30b2fa-adc8-47cb-a9f5-be90ae259827"
STRATEGY_ID = "927bacee-6c0e-4a50-b920-a95ee5013ae9"
PROFILE_ID = "3d321572-52a0-4625-93d3-a4e91c73dcd2"
PLAN_ID = "2add42ca-d6fa-4e0c-b410-480258171388"


def id_of(name: str) -> str:
    """Return a UUID that is always the same for a name."""
    return str(uuid5(NAMESPACE_URL, name))


def after(minutes: int) -> datetime:
    """Return the time so many minutes after the start."""
    return STARTED_AT + timedelta(minutes=minutes)


def _created(record_id: str, at: datetime) -> dict[str, Any]:
    return {"created_key": created_key(to_iso(at), record_id), "created_at": at, "updated_at": at}


def a_user(user_id: str = USER_ID, *, at: datetime = STARTED_AT, **values: Any) -> User:
    named: dict[str, Any] = {"first_name": "John", "last_name": "Doetwo", "plan_id": PLAN_ID}
    user = User(id=user_id, **_created(user_id, at), **(named | values))
    user.save()
    return user


def an_exchange_key(key_id: str = KEY_ID, *, at: datetime = STARTED_AT, **values: Any) -> ExchangeKey:
    usual: dict[str, Any] = {
        "user_id": USER_ID,
        "trade_type": TradeType.FUTURES,
        "strategy_type": StrategyType.AUTOMATED,
        "name": "Default",
        "api_key": f"api-key-of-{key_id}",
        "secret_ciphertext": b"ciphertext-of-the-secret",
    }
    key = ExchangeKey(id=key_id, **_created(key_id, at), **(usual | values))
    key.save()
    return key


def a_strategy(strategy_id: str = STRATEGY_ID, *, at: datetime = STARTED_AT, **values: Any) -> Strategy:
    usual: dict[str, Any] = {
        "name": "STRATEGY #1",
        "exchange_id": "BINANCE",
        "symbol": "BTC/USDT",
        "report_api_key": "report-key",
        "report_secret_ciphertext": b"ciphertext-of-the-report-secret",
    }
    strategy = Strategy(id=strategy_id, **_created(strategy_id, at), **(usual | values))
    strategy.save()
    return strategy


def a_risk_profile(profile_id: str = PROFILE_ID, *, at: datetime = STARTED_AT, **values: Any) -> RiskProfile:
    usual: dict[str, Any] = {"name": "CONSERVATIVE", "percentage": Decimal("1.5")}
    profile = RiskProfile(id=profile_id, **_created(profile_id, at), **(usual | values))
    profile.save()
    return profile


def a_plan(plan_id: str = PLAN_ID, *, at: datetime = STARTED_AT, **values: Any) -> Plan:
    usual: dict[str, Any] = {"name": "STANDARD", "max_balance_usd": 5000, "max_api_key": 10, "private": False}
    plan = Plan(id=plan_id, **_created(plan_id, at), **(usual | values))
    plan.save()
    return plan


def a_follower(name: str, *, at: datetime = STARTED_AT, **values: Any) -> Follower:
    usual: dict[str, Any] = {
        "strategy_id": STRATEGY_ID,
        "api_key_id": id_of(f"key of {name}"),
        "symbol": "BTC/USDT",
        "user_id": USER_ID,
        "risk_profile_id": PROFILE_ID,
    }
    follower_id = values.pop("id", id_of(name))
    follower = Follower(id=follower_id, **(_created(follower_id, at) | usual | values))
    follower.save()
    return follower


def a_balance(api_key_id: str, total_usd: str, *, at: datetime) -> None:
    KeyBalance(api_key_id, total_usd=Decimal(total_usd), updated_at=at).save()


def a_performance(follower: Follower, *, at: datetime, **values: Any) -> None:
    FollowerPerformance(follower.id, updated_at=at, **values).save()


def a_trigger(name: str, *, seq: int, at: datetime = STARTED_AT, **values: Any) -> Trigger:
    usual: dict[str, Any] = {
        "strategy_id": STRATEGY_ID,
        "strategy_source": StrategySource.TRADINGVIEW,
        "exchange_id": "BINANCE",
        "symbol": "BTC/USDT",
        "side": Side.BUY,
        "price": Decimal(21600),
        "stop": Decimal(21300),
        "stop_type": StopType.MARKET,
        "take_profits": [Decimal(22300), Decimal(22310)],
        "fanout_state": FanoutState.DONE,
        "pending": None,
        "active": False,
        "updated_at": at,
    }
    trigger = Trigger(id=id_of(name), seq=seq, created_at=at, **(usual | values))
    trigger.save()
    return trigger


def an_execution(trigger: Trigger, follower: Follower, *, state: ExecutionState, **values: Any) -> Execution:
    execution_id = ids.execution_id(trigger.id, follower.id)
    usual: dict[str, Any] = {
        "state": state,
        "trigger_id": trigger.id,
        "trigger_part": trigger_part(trigger.id, execution_id),
        "seq": trigger.seq,
        "strategy_source": trigger.strategy_source,
        "strategy_id": trigger.strategy_id,
        "follower_id": follower.id,
        "follower_key": follower.created_key,
        "user_id": follower.user_id,
        "api_key_id": follower.api_key_id,
        "exchange_id": trigger.exchange_id,
        "symbol": follower.symbol,
        "risk_profile_id": follower.risk_profile_id,
        "risk_pct": Decimal("1.5"),
        "side": trigger.side,
        "order_price": trigger.price,
        "stop": trigger.stop,
        "stop_type": trigger.stop_type,
        "take_profits": list(trigger.take_profits),
        "received_at": trigger.created_at,
    }
    if is_active(state):
        usual |= {"open_shard": open_shard_of(execution_id), "due_at": trigger.created_at}
    execution = Execution(id=execution_id, **_created(execution_id, trigger.created_at), **(usual | values))
    execution.save()
    return execution


def a_slot(execution: Execution) -> PositionSlot:
    slot = PositionSlot(
        execution.api_key_id,
        execution.symbol,
        follower_id=execution.follower_id,
        execution_id=execution.id,
        quantity=Decimal("0.673"),
    )
    slot.save()
    return slot
