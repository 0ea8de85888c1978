"""Reads users' accounts for an admin. Knows no HTTP."""

from __future__ import annotations

from functions.admin_user.schemas import ExchangeKeyItem, ExchangeKeyQuery, exchange_key_item
from shared.api.paging import Listing, listing, load_by_id, query_page
from shared.api.records import find_record
from shared.models.exchange_key import ExchangeKey
from shared.models.user import User


def find_user(user_id: str) -> User:
    """Return the user; raise NotFound."""
    return find_record(User, user_id, noun="user")


def list_exchange_keys(user: User, query: ExchangeKeyQuery) -> Listing[ExchangeKeyItem]:
    """Return a page of the user's keys, newest first."""
    page = query_page(
        ExchangeKey.by_user.query,
        user.id,
        load=load_by_id(ExchangeKey, include=lambda key: query.trade_type in {None, key.trade_type.value}),
        limit=query.limit,
        after=query.start,
        newest_first=True,
    )
    return listing(map(exchange_key_item, page.records), token=query.token_of(page))
