"""Shows and changes a follower's settings for an admin. The user's list of events tells of a change."""

from __future__ import annotations

from functions.admin_strategy_follower.schemas import FollowerSettings, NewSettings
from shared.clock import to_iso
from shared.models.follower import Follower
from shared.models.strategy import Strategy
from shared.notifications.notice_types import AccountChange
from shared.notifications.notices import record_change
from shared.observability import logger
from shared.views.follower_settings import settings_fields, store_settings


def show_settings(follower: Follower) -> FollowerSettings:
    """Return the follower's settings."""
    return {"id": follower.id, **settings_fields(follower), "updatedAt": to_iso(follower.updated_at)}


def change_settings(follower: Follower, body: NewSettings, *, cause: str) -> FollowerSettings:
    """Change the settings from the next alert on, and return them; repeatable."""
    store_settings(follower, body)
    strategy = Strategy.find(follower.strategy_id)
    name = strategy.name if strategy is not None else ""
    record_change(AccountChange.FOLLOWING_CHANGED, name, user_id=follower.user_id, cause=cause)
    logger.info("follower_changed", follower_id=follower.id, fields=sorted(body.changes()))
    return show_settings(follower)
