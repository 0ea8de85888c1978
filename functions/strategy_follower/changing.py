"""Changes what a follower does with the next alert, and ends it. Closes nothing itself: the order executor does."""

from __future__ import annotations

from pynamodb.expressions.update import Action

from functions.strategy_follower.refusals import FollowRefusal, follow_fault
from functions.strategy_follower.schemas import (
    EndedFollower,
    FollowerChange,
    OwnFollowerItem,
    follower_item,
)
from shared import close_requests
from shared.api.account_api import DISABLED
from shared.api.paging import Listing, listing
from shared.ending_followers import end_follower
from shared.errors import AccessDenied, RequestUnprocessable
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.follower import Follower, FollowerMode
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.user import User
from shared.notifications.notice_types import AccountChange
from shared.notifications.notices import record_change
from shared.observability import logger
from shared.trading.execution import CloseReason
from shared.views.closings import ClosingItem, closing_items
from shared.views.follower_settings import store_settings


def change_follower(user: User, follower: Follower, body: FollowerChange, *, cause: str) -> OwnFollowerItem:
    """Change risk profile and settings from the next alert on, and return the follower; repeatable."""
    if body.mode == FollowerMode.ACTIVE and follower.mode is not FollowerMode.ACTIVE and not user.active:
        raise AccessDenied(DISABLED, authenticated=True)
    profile: tuple[Action, ...] = ()
    if body.risk_profile_id is not None:
        if RiskProfile.find(body.risk_profile_id) is None:
            code = FollowRefusal.RISK_PROFILE_UNKNOWN
            raise RequestUnprocessable([follow_fault(code, param="riskProfileId", value=body.risk_profile_id)])
        profile = (Follower.risk_profile_id.set(body.risk_profile_id),)
    store_settings(follower, body, also=profile)
    strategy = Strategy.find(follower.strategy_id)
    record_change(AccountChange.FOLLOWING_CHANGED, _name(strategy), user_id=user.id, cause=cause)
    logger.info("follower_changed", follower_id=follower.id, fields=sorted(body.changes()))
    return follower_item(
        follower,
        strategy=strategy,
        key=ExchangeKey.find(follower.api_key_id),
        profile=RiskProfile.find(follower.risk_profile_id),
    )


def end_following(follower: Follower, *, close: bool, delivery: str) -> EndedFollower:
    """End a follower: it opens nothing more, and goes when nothing of it is open. May be repeated.

    An open position keeps its stop until it ends, or is closed now if `close`. Raise ServiceUnavailable while a worker
    trades for it.
    """
    still_open = end_follower(follower)
    closing: list[Execution] = []
    if still_open and close:
        closing = close_requests.close_one(follower, delivery=delivery, reason=CloseReason.USER)
    name = _name(Strategy.find(follower.strategy_id))
    record_change(AccountChange.FOLLOWING_ENDED, name, user_id=follower.user_id, cause=follower.id)
    return {
        "id": follower.id,
        "status": "ENDING" if still_open else "ENDED",
        "items": closing_items(closing),
    }


def close_position(follower: Follower, *, delivery: str) -> Listing[ClosingItem]:
    """Request the close of what the follower holds or is about to open; the follower stays. May be repeated."""
    closing = close_requests.close_one(follower, delivery=delivery, reason=CloseReason.USER)
    return listing(closing_items(closing), token=None)


def _name(strategy: Strategy | None) -> str:
    return strategy.name if strategy is not None else ""
