"""Many requests at once: no more keys than the plan allows, one key for an account, one follower for a symbol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from functions.exchange import connecting, key_reading
from functions.exchange.schemas import NewKey
from functions.strategy_follower import following
from functions.strategy_follower.account_reading import AccountReading
from functions.strategy_follower.schemas import NewFollower
from shared.api.idempotency import IdempotentRequest
from shared.clock import utc_now
from shared.exchange.key_inspection import Inspection
from shared.exchange.venue_views import KeyView
from shared.models.exchange_key import ExchangeKey
from shared.models.follower import Follower
from shared.models.user import User
from shared.trading.readiness import AccountSetup, judge_account
from tests import builders
from tests.builders import saved
from tests.integration.admin.at_once import all_at_once
from tests.integration.embedded_aws import EmbeddedAws

SOUND = AccountSetup(
    can_trade=True,
    futures_enabled=True,
    withdrawals_enabled=False,
    portfolio_margin=False,
    hedge_mode=False,
    multi_assets_margin=False,
    ip_restricted=True,
)


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Answer for the exchange: every key is sound; return the account of an API key, its own unless it says another."""

    def account_of(api_key: str) -> str:
        return api_key.partition(":")[2] or f"account-of-{api_key}"

    def read(*, api_key: str, secret: str, spot: bool) -> Inspection:
        view = KeyView(setup=SOUND, wallet_balance=Decimal(1000), clock_offset_ms=0)
        return Inspection(
            view=view,
            verdict=judge_account(SOUND, wallet_balance=Decimal(1000)),
            alias=account_of(api_key),
            margin_assets=("USDT",),
            checked_at=utc_now(),
        )

    monkeypatch.setattr(key_reading, "read_credentials", read)
    return account_of


def a_user(*, max_api_key: int = 3) -> User:
    plan = saved(builders.plan(max_api_key=max_api_key))
    return saved(builders.user(plan_id=plan.id))


def connect(user: User, api_key: str, *, idempotency_key: str | None = None, **changes: Any) -> Any:
    fields = {
        "exchangeId": "BINANCE",
        "tradeType": "FUTURES",
        "strategyType": "AUTOMATED",
        "name": "Mine",
        "apiKey": api_key,
        "apiSecretKey": "the-secret-of-it",
    } | changes
    body = NewKey.model_validate(fields, context={"raw": fields})
    repeatable = None
    if idempotency_key is not None:
        repeatable = IdempotentRequest.of(
            idempotency_key, caller_id=user.id, path="/v1/exchange/key", content=body.content()
        )
    return connecting.connect_key(user, body, repeatable=repeatable)


def keys_of(user: User) -> list[ExchangeKey]:
    """Return every stored key of a user, by the table itself."""
    return list(ExchangeKey.scan(ExchangeKey.user_id == user.id, consistent_read=True))


def test_twenty_requests_at_once_make_no_more_keys_than_the_plan_allows(
    aws: EmbeddedAws, accounts: Callable[[str], str]
) -> None:
    user = a_user(max_api_key=3)

    answers = all_at_once(lambda _: connect(user, uuid4().hex), times=20)

    made = [answer["id"] for answer in answers if isinstance(answer, dict)]
    assert sorted(made) == sorted(key.id for key in keys_of(user))
    assert len(made) == 3
    assert User.get(user.id, consistent_read=True).api_key_ids == set(made)


def test_keys_from_before_they_were_counted_count(aws: EmbeddedAws, accounts: Callable[[str], str]) -> None:
    user = a_user(max_api_key=3)
    for _ in range(2):
        saved(builders.exchange_key(user_id=user.id))

    answers = all_at_once(lambda _: connect(user, uuid4().hex), times=8)

    assert len([answer for answer in answers if isinstance(answer, dict)]) == 1
    assert len(keys_of(user)) == 3


def test_of_many_keys_of_one_account_one_trades_automatically(aws: EmbeddedAws, accounts: Callable[[str], str]) -> None:
    account = uuid4().hex
    users = [a_user() for _ in range(8)]

    answers = all_at_once(lambda number: connect(users[number], f"{uuid4().hex}:{account}"), times=8)

    assert len([answer for answer in answers if isinstance(answer, dict)]) == 1
    assert sum(len(keys_of(user)) for user in users) == 1


def test_one_api_key_is_connected_once_even_for_manual_trading(
    aws: EmbeddedAws, accounts: Callable[[str], str]
) -> None:
    user, api_key = a_user(max_api_key=10), uuid4().hex

    answers = all_at_once(lambda _: connect(user, api_key, strategyType="MANUAL"), times=8)

    assert len([answer for answer in answers if isinstance(answer, dict)]) == 1
    assert len(keys_of(user)) == 1


def test_repeats_at_once_under_one_idempotency_key_make_one_key(
    aws: EmbeddedAws, accounts: Callable[[str], str]
) -> None:
    user, api_key = a_user(), uuid4().hex

    answers = all_at_once(lambda _: connect(user, api_key, idempotency_key="once"), times=6)

    (key,) = keys_of(user)
    assert [answer["id"] for answer in answers if isinstance(answer, dict)] == [key.id] * 6


@pytest.fixture
def sound_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer for the exchange: no account has anything that forbids an entry."""
    monkeypatch.setattr(following, "read_account", lambda *_, **__: AccountReading())


def test_of_many_follows_at_once_one_follower_is_made(aws: EmbeddedAws, sound_accounts: None) -> None:
    user = a_user()
    key, profile = saved(builders.exchange_key(user_id=user.id)), saved(builders.risk_profile())
    strategies = [saved(builders.strategy(symbol="BTC/USDT")) for _ in range(8)]

    def follow(number: int) -> Any:
        fields = {"strategyId": strategies[number].id, "apiKeyId": key.id, "riskProfileId": profile.id}
        body = NewFollower.model_validate(fields, context={"raw": fields})
        return following.follow(user, body, repeatable=None)

    answers = all_at_once(follow, times=8)

    (made,) = [answer for answer in answers if isinstance(answer, dict)]
    stored = [found for one in strategies for found in Follower.query(one.id, consistent_read=True)]
    assert [one.id for one in stored] == [made["id"]]
    codes = Counter(type(answer).__name__ for answer in answers)
    assert codes == {"dict": 1, "list": 7}
