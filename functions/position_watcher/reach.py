"""Records whom an alert has reached once it is stale, and tells the admins of those whom it left out.

A follower is left out by its lane's weight alone: every other reason is the follower's own, and on its execution.
"""

from __future__ import annotations

from datetime import timedelta

from shared.clock import utc_now
from shared.config import settings
from shared.models.base import conditional_write
from shared.models.strategy import Strategy
from shared.models.trigger import Trigger
from shared.models.trigger_count import Totals, TriggerCount
from shared.notifications.notice_types import FollowersLeftOut
from shared.notifications.notices import notify
from shared.notifications.recipients import ADMINS
from shared.observability import count_outcome, logger
from shared.trading.sides import Side


def record_reach(trigger: Trigger) -> None:
    """Record how many followers a trigger has reached and left out; nothing while it is fresh, or recorded already."""
    stale_at = trigger.created_at + timedelta(seconds=settings().max_alert_age_s)
    if trigger.reached is not None or utc_now() < stale_at:
        return
    totals = TriggerCount.totals(trigger.id)
    if totals.left_out:
        _tell_admins(trigger, totals)  # repeatable, so it comes before the write that ends the repeats
    with conditional_write() as write:
        trigger.update(
            actions=[Trigger.reached.set(totals.reached), Trigger.left_out.set(totals.left_out)],
            condition=Trigger.reached.does_not_exist(),
        )
    if write.applied and totals.left_out:
        logger.warning("followers_left_out", trigger_id=trigger.id, reached=totals.reached, left_out=totals.left_out)
        count_outcome("followers_left_out")


def _tell_admins(trigger: Trigger, totals: Totals) -> None:
    strategy = Strategy.find(trigger.strategy_id)
    values = FollowersLeftOut(
        strategy_name=strategy.name if strategy is not None else trigger.strategy_id,
        symbol=trigger.symbol,
        long=trigger.side is Side.BUY,
        reached=totals.reached,
        left_out=totals.left_out,
        at=trigger.created_at,
    )
    # One an hour for each strategy, however often it alerts.
    cause = f"{trigger.strategy_id} {trigger.created_at:%Y-%m-%dT%H}"
    notify(values, to=ADMINS, cause=cause, at=utc_now())
