"""What the executions of a page of followers say about key, user, profile and plan at this moment. Writes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.clock import to_iso
from shared.models.base import created_key
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution, open_shard_of, trigger_partition
from shared.models.follower import Follower
from shared.models.plan import Plan
from shared.models.position_slot import PositionSlot
from shared.models.risk_profile import RiskProfile
from shared.models.trigger import Trigger
from shared.models.user import User
from shared.scheduling import due_by_dead_man
from shared.trading.execution import ExecutionState, Reason
from shared.trading.ids import execution_id


@dataclass(frozen=True, slots=True)
class References:
    """The records that a page of followers refers to, by id, read consistently."""

    keys: dict[str, ExchangeKey]
    users: dict[str, User]
    profiles: dict[str, RiskProfile]
    plans: dict[str, Plan]
    slots: dict[tuple[str, str], PositionSlot]
    """The slots of inactive followers."""


async def read_references(followers: Collection[Follower]) -> References:
    """Return what the followers refer to."""
    keys, users, profiles, slots = await asyncio.gather(
        _find(ExchangeKey, [follower.api_key_id for follower in followers]),
        _find(User, [follower.user_id for follower in followers]),
        _find(RiskProfile, [follower.risk_profile_id for follower in followers]),
        _find(PositionSlot, [(follower.api_key_id, follower.symbol) for follower in followers if not follower.active]),
    )
    plans = await _find(Plan, [user.plan_id for user in users.values() if user.plan_id])
    return References(keys=keys, users=users, profiles=profiles, plans=plans, slots=slots)


def concerns(trigger: Trigger, follower: Follower, references: References) -> bool:
    """Return whether a follower gets an execution: it is active, an admin named it, or it has something to close."""
    if follower.active or trigger.follower_ids is not None:
        return True
    slot = references.slots.get((follower.api_key_id, follower.symbol))
    return slot is not None and slot.execution_id is not None and slot.follower_id == follower.id


def snapshot(
    trigger: Trigger, follower: Follower, references: References, *, strategy_name: str, now: datetime
) -> Execution:
    """Return the execution, not yet stored. Whether it may open anything is the executor's decision, not this one's."""
    identity = execution_id(trigger.id, follower.id)
    key = references.keys.get(follower.api_key_id)
    user = references.users.get(follower.user_id)
    plan = references.plans.get(user.plan_id) if user is not None and user.plan_id else None
    profile = references.profiles.get(follower.risk_profile_id)
    execution = Execution(
        id=identity,
        state=ExecutionState.QUEUED,
        state_times={ExecutionState.QUEUED.value: to_iso(now)},
        trigger_id=trigger.id,
        trigger_part=trigger_partition(trigger.id, identity),
        seq=trigger.seq,
        strategy_source=trigger.strategy_source,
        strategy_id=trigger.strategy_id,
        strategy_name=strategy_name,
        follower_id=follower.id,
        follower_key=follower.created_key,
        user_id=follower.user_id,
        api_key_id=follower.api_key_id,
        key_name=key.name if key is not None else "",
        exchange_id=trigger.exchange_id,
        symbol=trigger.symbol,
        risk_profile_id=follower.risk_profile_id,
        risk_pct=profile.percentage if profile is not None else Decimal(0),
        entry_settings=follower.entry_settings if trigger.opens else None,
        plan_id=plan.id if plan is not None else None,
        max_balance_usd=plan.max_balance_usd if plan is not None else None,
        action=trigger.action,
        side=trigger.side,
        order_price=trigger.price,
        stop=trigger.stop,
        stop_type=trigger.stop_type,
        stop_at_breakeven=trigger.stop_at_breakeven,
        take_profits=list(trigger.take_profits),
        trailing_trigger=trigger.trailing_trigger,
        callback_rate=trigger.callback_rate,
        position_size=trigger.position_size,
        position_side=trigger.position_side,
        keep_share=trigger.keep_share,
        breakeven_after=trigger.breakeven_after,
        take_profit_weights=trigger.take_profit_weights,
        max_chase=trigger.max_chase,
        fired_at=trigger.fired_at,
        received_at=trigger.created_at,
        overtaken=trigger.overtaken,
        open_shard=open_shard_of(identity),
        # Still QUEUED then, it is sent on: a crashed worker may hold its message for minutes more.
        due_at=due_by_dead_man(now),
        created_key=created_key(to_iso(now), identity),
        created_at=now,
        updated_at=now,
    )
    if key is not None:
        execution.egress_lanes = list(key.named_lanes)
    if profile is None and trigger.opens:
        _fail(execution, now=now)
    return execution


def _fail(execution: Execution, *, now: datetime) -> None:
    # Profiles are never deleted, so this is a fault in the data; the other followers must not wait for its repair.
    execution.state = ExecutionState.FAILED
    execution.state_times = {ExecutionState.FAILED.value: to_iso(now)}
    execution.reason = Reason.RISK_PROFILE_MISSING
    execution.open_shard = None
    execution.due_at = None
    execution.closed_at = now


async def _find(model: Any, keys: Collection[Any]) -> dict[Any, Any]:
    if not keys:
        return {}
    return await asyncio.to_thread(model.find_many, keys, consistent=True)
