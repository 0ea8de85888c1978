"""What a user sends to connect, change and delete keys, and to follow; the use cases that the routes call."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from functions.exchange import changing, connecting
from functions.exchange.schemas import KeyChange, NewKey
from functions.strategy_follower import following
from functions.strategy_follower.schemas import NewFollower
from shared.errors import RequestUnprocessable
from shared.models.base import Table
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import ExchangeKey
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.user import User
from tests import builders
from tests.builders import saved
from tests.integration.executor.world import World


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key with its secret, as the exchange made it."""

    api_key: str = field(default_factory=lambda: secrets.token_hex(32))
    secret: str = field(default_factory=lambda: secrets.token_hex(32))

    @property
    def body(self) -> dict[str, str]:
        """The two fields of a request."""
        return {"apiKey": self.api_key, "apiSecretKey": self.secret}


def open_account(world: World, *, balance: str = "10000", **setup: Any) -> Credentials:
    """Make an account at the exchange; `setup` changes it (permissions, modes)."""
    made = Credentials()
    body = {"apiKey": made.api_key, "secret": made.secret, "balances": {"USDT": balance}}
    world.exchange.control("POST", "/paper/accounts", body)
    if setup:
        world.exchange.control("PUT", f"/paper/accounts/{made.api_key}", setup)
    return made


def further_key(world: World, account: Credentials) -> Credentials:
    """Make another API key of the same account."""
    made = Credentials()
    path = f"/paper/accounts/{account.api_key}/keys"
    world.exchange.control("POST", path, {"apiKey": made.api_key, "secret": made.secret})
    return made


def a_user(**plan: Any) -> User:
    """Make a user with a plan of their own."""
    return saved(builders.user(plan_id=saved(builders.plan(**plan)).id))


def connect(user: User, credentials: Credentials, **changes: Any) -> ExchangeKey:
    """Connect a key; return its record, or raise the request's faults."""
    fields = {
        "exchangeId": "BINANCE",
        "tradeType": "FUTURES",
        "strategyType": "AUTOMATED",
        "name": "Mine",
        **credentials.body,
    } | changes
    body = NewKey.model_validate(fields, context={"raw": fields})
    answer = connecting.connect_key(user, body, repeatable=None)
    return ExchangeKey.get(answer["id"], consistent_read=True)


def change(user: User, key: ExchangeKey, **fields: Any) -> ExchangeKey:
    """Change a key; return its record, or raise the request's faults."""
    body = KeyChange.model_validate(fields, context={"raw": fields})
    changing.change_key(user, key, body, cause=secrets.token_hex(8))
    return ExchangeKey.get(key.id, consistent_read=True)


def follow(user: User, strategy: Strategy, key: ExchangeKey, profile: RiskProfile) -> str:
    """Follow a strategy; return the follower's id, or raise the request's faults."""
    fields = {"strategyId": strategy.id, "apiKeyId": key.id, "riskProfileId": profile.id}
    body = NewFollower.model_validate(fields, context={"raw": fields})
    return str(following.follow(user, body, repeatable=None)["id"])


def codes_of(error: RequestUnprocessable) -> list[object]:
    """Return the codes of a refusal's faults."""
    return [one.get("code") for one in error.faults]


def everything_stored() -> Mapping[str, list[str]]:
    """Return every record of every table but the lanes', whose weight any request changes."""
    return {
        model.__name__: sorted(str(record.to_dynamodb_dict()) for record in model.scan(consistent_read=True))
        for model in Table.__subclasses__()
        if model is not EgressLane
    }
