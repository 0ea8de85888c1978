"""Closes a user's own account: keys destroyed, follows ended, the sign-in deleted. Closes no position. Knows no HTTP.

While something is open, nothing changes. Then the user is made inactive, so that nothing is entered and no key is
connected any more. Checkout pages that are open at Stripe expire, and every key is looked at once more under its
leases, before the first one goes. A request that fails after that leaves an account that enters nothing, and a repeat
completes it.
"""

from __future__ import annotations

from functions.user.schemas import ClosedAccount, closed_account
from shared import user_pool
from shared.billing import checkout
from shared.billing.entitlement import LIVING
from shared.clock import utc_now
from shared.ending_followers import end_follower
from shared.errors import LockstepError, NotFound, ServiceUnavailable
from shared.key_deletion import delete_key, positions_of
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.stripe_subscription import StripeSubscription
from shared.models.user import User
from shared.notifications.notice_types import AccountChange
from shared.notifications.notices import record_change
from shared.observability import count_outcome, logger


class AccountInUse(LockstepError):
    """Something stands against closing the account: open positions, or a subscription that would go on charging."""

    def __init__(self, message: str, positions: list[Execution]) -> None:
        super().__init__(message)
        self.positions = positions


def close_account(user: User) -> ClosedAccount:
    """Close the account; raise AccountInUse, or ServiceUnavailable while a worker trades for it. May be repeated."""
    if user.closed_at is None:
        _end_trading(user)
        user.close()
        record_change(AccountChange.ACCOUNT_CLOSED, "", user_id=user.id, cause=user.id)
        logger.info("account_closed")
        count_outcome("account_closed")
    _delete_sign_in(user)
    return closed_account(user)


def _end_trading(user: User) -> None:
    if any(one.status in LIVING for one in StripeSubscription.query(user.id, consistent_read=True)):
        raise _subscribed()
    _require_nothing_open(_keys_of(user))
    was_active = user.active
    user.set_active(False)
    user.refresh(consistent_read=True)
    keys = _keys_of(user)
    try:
        _end_checkouts(user)
        _require_nothing_open(keys)
    except (AccountInUse, ServiceUnavailable):
        # Something was paid or entered in between, or Stripe cannot be asked: nothing is gone yet.
        if was_active:
            user.set_active(True)
        raise
    for key in keys:
        delete_key(key)
    for found in Follower.by_user.query(user.id):
        follower = Follower.find(found.strategy_id, found.created_key)
        if follower is not None:
            end_follower(follower)


def _end_checkouts(user: User) -> None:
    """Expire the pages at Stripe on which the user could still pay; raise AccountInUse where one was paid just now."""
    until, customer_id = user.checkouts_open_until, user.stripe_customer_id
    if customer_id is None or until is None or until <= utc_now():
        return
    expired = checkout.expire_open_sessions(customer_id)
    logger.info("checkout_sessions_expired", sessions=expired)
    try:
        if checkout.has_subscription(customer_id):
            # The event that says so is on its way.
            raise _subscribed()
    except checkout.CustomerMissing:
        logger.info("stripe_customer_missing", customer_id=customer_id)


def _subscribed() -> AccountInUse:
    return AccountInUse("a subscription is active: end it in the billing portal first", [])


def _require_nothing_open(keys: list[ExchangeKey]) -> None:
    held = [execution for key in keys for execution in positions_of(key)]
    if held:
        raise AccountInUse("a position is open", held)


def _keys_of(user: User) -> list[ExchangeKey]:
    """Return every key of the user, the ones included that the index does not list yet."""
    ids = {found.id for found in ExchangeKey.by_user.query(user.id)} | (user.api_key_ids or set())
    return list(ExchangeKey.find_many(sorted(ids), consistent=True).values())


def _delete_sign_in(user: User) -> None:
    account = user_pool.find_account(user.id, username=user.username)
    if account is not None:
        try:
            user_pool.delete_account(account)
        except NotFound:
            logger.info("account_missing", user_id=user.id)
