"""Stored records with the documentation's own values."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from shared.clock import from_iso
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.follower_performance import FollowerPerformance
from shared.models.key_balance import KeyBalance
from shared.models.plan import Plan
from shared.models.position_slot import PositionSlot
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.trigger import Trigger
from shared.models.user import User
from shared.trading.execution import ExecutionState, is_active
from shared.trading.sides import TriggerAction
from tests import builders
from tests.builders import saved

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


def a_user(user_id: str = USER_ID, *, at: datetime = STARTED_AT, **values: Any) -> User:
    named: dict[str, Any] = {"first_name": "John", "last_name": "Doetwo", "plan_id": PLAN_ID}
    return saved(builders.user(user_id, at=at, **(named | values)))


def an_exchange_key(key_id: str = KEY_ID, *, at: datetime = STARTED_AT, **values: Any) -> ExchangeKey:
    return saved(builders.exchange_key(key_id, at=at, **({"user_id": USER_ID} | values)))


def a_strategy(strategy_id: str = STRATEGY_ID, *, at: datetime = STARTED_AT, **values: Any) -> Strategy:
    return saved(builders.strategy(strategy_id, at=at, **values))


def a_risk_profile(profile_id: str = PROFILE_ID, *, at: datetime = STARTED_AT, **values: Any) -> RiskProfile:
    return saved(builders.risk_profile(profile_id, at=at, **values))


def a_plan(plan_id: str = PLAN_ID, *, at: datetime = STARTED_AT, **values: Any) -> Plan:
    return saved(builders.plan(plan_id, at=at, **({"max_balance_usd": 5000} | values)))


def a_follower(name: str, *, at: datetime = STARTED_AT, **values: Any) -> Follower:
    usual: dict[str, Any] = {
        "strategy_id": STRATEGY_ID,
        "api_key_id": id_of(f"key of {name}"),
        "user_id": USER_ID,
        "risk_profile_id": PROFILE_ID,
    }
    return saved(builders.follower(values.pop("id", id_of(name)), at=at, **(usual | values)))


def a_balance(api_key_id: str, total_usd: str, *, at: datetime, **values: Any) -> None:
    KeyBalance(api_key_id, total_usd=Decimal(total_usd), updated_at=at, **values).save()


def a_performance(follower: Follower, *, at: datetime, **values: Any) -> None:
    FollowerPerformance(follower.id, updated_at=at, **values).save()


def a_trigger(name: str, *, seq: int, at: datetime = STARTED_AT, **values: Any) -> Trigger:
    usual: dict[str, Any] = {
        "strategy_id": STRATEGY_ID,
        "seq": seq,
        "price": Decimal(21600),
        "stop": Decimal(21300),
        "take_profits": [Decimal(22300), Decimal(22310)],
        "active": False,
    }
    return saved(builders.trigger(id_of(name), at=at, **(usual | values)))


def an_exit(name: str, *, seq: int, at: datetime = STARTED_AT, **values: Any) -> Trigger:
    usual: dict[str, Any] = {
        "strategy_id": STRATEGY_ID,
        "seq": seq,
        "action": TriggerAction.CLOSE,
        "active": False,
    }
    return saved(builders.trigger(id_of(name), at=at, **(usual | values)))


def an_execution(trigger: Trigger, follower: Follower, *, state: ExecutionState, **values: Any) -> Execution:
    usual: dict[str, Any] = {"symbol": follower.symbol, "strategy_name": ""}
    if is_active(state):
        usual["due_at"] = trigger.created_at
    return saved(builders.execution(trigger, follower, state=state, at=trigger.created_at, **(usual | values)))


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
