"""Lists users, shows one, and switches them on and off, in our table and in Cognito. Knows no HTTP, and no exchange.

Our record decides who may trade, Cognito who may sign in. The record is switched off first and switched on last: if a
request crashes in between, nobody trades who should not, and a repeat completes it.
"""

from __future__ import annotations

from functions.admin_user.schemas import (
    UserChanged,
    UserItem,
    UserOverview,
    UserSwitched,
    user_changed,
    user_item,
    user_overview,
    user_switched,
)
from shared import user_pool
from shared.api.paging import Listing, listing, load_by_id, query_page
from shared.api.requests import ListQuery
from shared.errors import NotFound
from shared.models.base import LISTED
from shared.models.plan import Plan
from shared.models.user import UNCONFIRMED, UNKNOWN, Account, User, create_user, sync_from_cognito
from shared.observability import logger


def list_users(query: ListQuery) -> Listing[UserItem]:
    """Return a page of the users, newest first; reads our table alone, not Cognito."""
    page = query_page(
        User.by_created.query, LISTED, load=load_by_id(User), limit=query.limit, after=query.start, newest_first=True
    )
    return listing(map(user_item, page.records), token=query.token_of(page))


def get_overview(user_id: str) -> UserOverview:
    """Return a user with the plan, after synchronising the record with Cognito; raise NotFound."""
    user = _sync(User.find(user_id) or _create_from_cognito(user_id))
    plan = Plan.find(user.plan_id, consistent=False) if user.plan_id else None
    return user_overview(user, plan)


def enable_user(user_id: str) -> UserSwitched:
    """Let the user sign in and their followers trade again; raise NotFound."""
    user = _find(user_id)
    user_pool.enable_account(_account_of(user))
    user.set_active(True)
    logger.info("user_enabled", user_id=user.id)
    return user_switched(user)


def disable_user(user_id: str) -> UserSwitched:
    """Let no follower of the user's enter a trade, and sign the user out everywhere; raise NotFound.

    Open positions keep their stops: exits do not depend on whether the user is active.
    """
    user = _find(user_id)
    user.set_active(False)
    try:
        user_pool.disable_account(_account_of(user))
    except NotFound as error:
        # Nobody can sign in to an account that does not exist.
        logger.info("account_missing", user_id=user.id, why=str(error))
    logger.info("user_disabled", user_id=user.id)
    return user_switched(user)


def reset_mfa(user_id: str) -> UserChanged:
    """Let the user sign in without the authenticator app they lost; raise NotFound."""
    user = _find(user_id)
    user_pool.clear_mfa(_account_of(user))
    user.touch()
    logger.info("mfa_reset", user_id=user.id)
    return user_changed(user)


def reset_telegram(user_id: str) -> UserChanged:
    """Send nothing more to the user's Telegram chat, until they link one again; raise NotFound."""
    user = _find(user_id)
    user.unlink_telegram()
    logger.info("telegram_reset", user_id=user.id)
    return user_changed(user)


def _find(user_id: str) -> User:
    return User.find(user_id) or _create_from_cognito(user_id)


def _create_from_cognito(user_id: str) -> User:
    """Create the record of a user who has only an account (made by an operator, or UserRecorder failed)."""
    account = user_pool.find_account(user_id)
    if account is None:
        raise NotFound(f"user {user_id} does not exist")
    if account.status == UNCONFIRMED:
        raise NotFound(f"user {user_id} has not confirmed the sign-up")
    return create_user(account)


def _account_of(user: User) -> Account:
    """Return the user's account; raise NotFound."""
    account = user_pool.find_account(user.id, username=user.username)
    if account is None:
        raise NotFound(f"user {user.id} has no account in the user pool")
    return account


def _sync(user: User) -> User:
    account = user_pool.find_account(user.id, username=user.username) or _missing_account(user)
    if user.active and not account.enabled:
        logger.warning("account_disabled_in_pool_only", user_id=user.id)
    return sync_from_cognito(user, account)


def _missing_account(user: User) -> Account:
    """Return what the record of a user shows while Cognito shows no account."""
    return Account(id=user.id, status=UNKNOWN, email=user.email, email_verified=user.email_verified)
