"""Builds records with sensible defaults, each changed by keywords. Stores nothing: `saved` does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import uuid4

from shared.clock import to_iso, utc_now
from shared.execution_snapshot import References, snapshot
from shared.models.base import Table, created_key
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.plan import Plan
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.trigger import FanoutState, Trigger
from shared.models.user import User
from shared.trading.execution import ExecutionState, is_active
from shared.trading.sides import Side, StopType, StrategySource, TriggerAction

_R = TypeVar("_R", bound=Table)


def saved(record: _R) -> _R:
    """Store a record, and return it."""
    record.save()
    return record


def user(user_id: str | None = None, *, at: datetime | None = None, **values: Any) -> User:
    return User(**(_listed(user_id, at) | values))


def exchange_key(key_id: str | None = None, *, at: datetime | None = None, **values: Any) -> ExchangeKey:
    listed = _listed(key_id, at)
    usual: dict[str, Any] = {
        "user_id": "a user",
        "trade_type": TradeType.FUTURES,
        "strategy_type": StrategyType.AUTOMATED,
        "name": "Default",
        "api_key": f"api-key-of-{listed['id']}",
        "secret_ciphertext": b"ciphertext-of-the-secret",
    }
    made = ExchangeKey(**(listed | usual | values))
    if "account" not in values:
        made.account = {"apiKey": made.api_key, "alias": f"account-of-{made.api_key}"}
    return made


def strategy(strategy_id: str | None = None, *, at: datetime | None = None, **values: Any) -> Strategy:
    usual: dict[str, Any] = {
        "name": "STRATEGY #1",
        "exchange_id": "BINANCE",
        "symbol": "BTC/USDT",
        "report_api_key": "report-key",
        "report_secret_ciphertext": b"ciphertext-of-the-report-secret",
    }
    return Strategy(**(_listed(strategy_id, at) | usual | values))


def risk_profile(profile_id: str | None = None, *, at: datetime | None = None, **values: Any) -> RiskProfile:
    usual: dict[str, Any] = {"name": "CONSERVATIVE", "percentage": Decimal("1.5")}
    return RiskProfile(**(_listed(profile_id, at) | usual | values))


def plan(plan_id: str | None = None, *, at: datetime | None = None, **values: Any) -> Plan:
    usual: dict[str, Any] = {"name": "STANDARD", "max_balance_usd": 50_000, "max_api_key": 10, "private": False}
    return Plan(**(_listed(plan_id, at) | usual | values))


def follower(follower_id: str | None = None, *, at: datetime | None = None, **values: Any) -> Follower:
    listed = _listed(follower_id, at)
    usual: dict[str, Any] = {
        "strategy_id": "a strategy",
        "api_key_id": f"key-of-{listed['id']}",
        "symbol": "BTC/USDT",
        "user_id": "a user",
        "risk_profile_id": "a profile",
    }
    return Follower(**(listed | usual | values))


def trigger(trigger_id: str | None = None, *, at: datetime | None = None, **values: Any) -> Trigger:
    """Return a trigger of an alert whose fan-out is done: BUY at 20000, stop 19800, three take-profits; or mirrored.

    An exit, by `action`, has none of that.
    """
    at = at or utc_now()
    opens = values.get("action", TriggerAction.OPEN) is TriggerAction.OPEN
    usual: dict[str, Any] = {
        "strategy_id": "a strategy",
        "seq": 1,
        "strategy_source": StrategySource.TRADINGVIEW,
        "exchange_id": "BINANCE",
        "symbol": "BTC/USDT",
        **(_signal(values.pop("side", Side.BUY)) if opens else {}),
        "fanout_state": FanoutState.DONE,
        "pending": None,
        "created_at": at,
        "updated_at": at,
    }
    return Trigger(id=trigger_id or str(uuid4()), **(usual | values))


def _signal(side: Side) -> dict[str, Any]:
    return {
        "side": side,
        "price": Decimal(20000),
        "stop": Decimal(20000 - 200 * side.sign),
        "stop_type": StopType.MARKET,
        "take_profits": [Decimal(20000 + step * side.sign) for step in (200, 300, 400)],
    }


def execution(
    trigger: Trigger,
    follower: Follower,
    *,
    state: ExecutionState = ExecutionState.QUEUED,
    at: datetime | None = None,
    strategy_name: str = "STRATEGY #1",
    references: Sequence[ExchangeKey | User | RiskProfile | Plan] = (),
    **values: Any,
) -> Execution:
    """Return the execution of a trigger on a follower as the fan-out creates it at this time, or one in a later state.

    `references` are the records that the follower refers to; a risk profile of 1.5 % is assumed.
    """
    at = at or utc_now()
    profile = risk_profile(follower.risk_profile_id)
    made = snapshot(trigger, follower, _references(profile, *references), strategy_name=strategy_name, now=at)
    if state is not made.state:
        made.state = state
        made.state_times = {state.value: to_iso(at)}
    if not is_active(state):
        made.open_shard = made.due_at = None
    for name, value in values.items():
        setattr(made, name, value)
    return made


def _references(*records: ExchangeKey | User | RiskProfile | Plan) -> References:
    def by_id(model: type[_R]) -> dict[str, _R]:
        return {record.id: record for record in records if isinstance(record, model)}

    return References(
        keys=by_id(ExchangeKey), users=by_id(User), profiles=by_id(RiskProfile), plans=by_id(Plan), slots={}
    )


def _listed(record_id: str | None, at: datetime | None) -> dict[str, Any]:
    """Return an id, and the times and the sort key of its creation."""
    record_id, at = record_id or str(uuid4()), at or utc_now()
    return {"id": record_id, "created_key": created_key(to_iso(at), record_id), "created_at": at, "updated_at": at}
