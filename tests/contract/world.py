"""Makes the stack's data look like an example: people, keys, accounts at the exchange, and what no route writes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from local.stack.deploy import client
from shared import config
from shared import secrets as sealing
from shared.clock import utc_now
from shared.models.base import LISTED
from shared.models.exchange_key import StrategyType, TradeType
from shared.models.key_balance import KeyBalance
from shared.models.plan import Plan
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.unique_name import NameKind, UniqueName
from shared.models.user import User
from tests import builders
from tests.environment import environment
from tests.integration.paper_exchange.trader import TranslatingFutures, redirect
from tests.system.stack_client import Stack


@dataclass(frozen=True, slots=True)
class Key:
    """An exchange key in our table, and its account at the paper exchange."""

    id: str
    api_key: str
    secret: str = field(repr=False)


@contextmanager
def inside(stack: Stack) -> Iterator[None]:
    """Let the product's models and secrets work on the stack's tables, as they do in a function."""
    with environment(**stack.running.deployed.environment(stack.running.places)):
        yield


@dataclass(frozen=True, slots=True)
class World:
    """The stack's data; to be used `inside` the stack."""

    stack: Stack

    def add_user(
        self, email: str, first_name: str, last_name: str, *, plan_id: str | None = None, customer: str | None = None
    ) -> str:
        """Sign somebody up as the user pool does, and return the id."""
        cognito, pool = client("cognito-idp", self.stack.running.places), config.settings().user_pool_id
        made = cognito.admin_create_user(
            UserPoolId=pool,
            Username=email,
            UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
            MessageAction="SUPPRESS",
        )
        password = secrets.token_urlsafe(24) + "aA1"
        self.stack.heard.secrets.add(password)
        cognito.admin_set_user_password(UserPoolId=pool, Username=email, Password=password, Permanent=True)
        attributes = {one["Name"]: one["Value"] for one in made["User"]["Attributes"]}
        names = {"given_name": first_name, "family_name": last_name, "cognito:user_status": "CONFIRMED"}
        event = {
            "triggerSource": "PostConfirmation_ConfirmSignUp",
            "request": {"userAttributes": attributes | names},
        }
        self.stack.invoke("UserRecorder", event)
        user_id: str = attributes["sub"]
        if plan_id is not None:
            actions = [User.plan_id.set(plan_id), User.plan_changed_at.set(utc_now())]
            if customer is not None:
                actions.append(User.stripe_customer_id.set(customer))
            User(user_id).update(actions=[*actions])
        return user_id

    def open_account(self, api_key: str = "", secret: str = "", **account: Any) -> tuple[str, str]:
        """Open an account at the paper exchange and return key and secret."""
        api_key, secret = api_key or secrets.token_hex(32), secret or secrets.token_hex(32)
        self.stack.heard.secrets.add(secret)
        self.stack.paper("POST", "accounts", {"apiKey": api_key, "secret": secret, **account})
        return api_key, secret

    def add_key(
        self,
        user_id: str,
        *,
        name: str = "Default",
        api_key: str = "",
        strategy_type: StrategyType = StrategyType.AUTOMATED,
        trade_type: TradeType = TradeType.FUTURES,
        created_at: datetime | None = None,
        **account: Any,
    ) -> Key:
        """Give a user a key; only with `balances` or the like is it known at the exchange."""
        secret = secrets.token_hex(32)
        self.stack.heard.secrets.add(secret)
        api_key = api_key or secrets.token_hex(32)
        if account:
            self.open_account(api_key, secret, **account)
        key_id, moment = str(uuid4()), created_at or utc_now()
        builders.exchange_key(
            key_id,
            at=moment,
            user_id=user_id,
            trade_type=trade_type,
            strategy_type=strategy_type,
            name=name,
            api_key=api_key,
            secret_ciphertext=sealing.seal(secret, kind=sealing.SecretKind.EXCHANGE_KEY, owner_id=key_id),
        ).save()
        return Key(key_id, api_key, secret)

    def add_follower(
        self, strategy: Strategy, user_id: str, key: Key, *, profile: str = "CONSERVATIVE", balance: str | None = None
    ) -> str:
        """Let a key follow a strategy, and return the follower's id."""
        follower_id, moment = str(uuid4()), utc_now()
        if balance is not None:
            KeyBalance(key.id, total_usd=Decimal(balance), updated_at=moment).save()
        builders.follower(
            follower_id,
            at=moment,
            strategy_id=strategy.id,
            api_key_id=key.id,
            symbol=strategy.symbol,
            user_id=user_id,
            risk_profile_id=self.profile(profile).id,
        ).save()
        return follower_id

    def profile(self, name: str) -> RiskProfile:
        """Return a risk profile by its name."""
        claim = UniqueName.get(UniqueName.claim_key(NameKind.RISK_PROFILE, name))
        return RiskProfile.get(claim.owner_id)

    def plan(self, name: str) -> Plan:
        """Return a plan by its name."""
        claim = UniqueName.get(UniqueName.claim_key(NameKind.PLAN, name))
        return Plan.get(claim.owner_id)

    def add_strategy(self, name: str, *, strategy_id: str = "", webhook_secret: str = "") -> Strategy:
        """Add a strategy on BTC/USDT."""
        _, report_secret = self.open_account(report_key := secrets.token_hex(32), balances={"USDT": "100"})
        made = self.stack.api(
            "POST",
            "/v1/admin/setting/strategy",
            body={
                "name": name,
                "exchangeId": "BINANCE",
                "symbol": "BTC/USDT",
                "reportExchangeApiKey": report_key,
                "reportExchangeApiSecretKey": report_secret,
            },
        )
        assert made.status == 200, made.text
        strategy = Strategy.get(made.json()["id"])
        if strategy_id:
            strategy.delete()
            strategy.id, strategy.listed = strategy_id, LISTED
            strategy.report_secret_ciphertext = sealing.seal(
                report_secret, kind=sealing.SecretKind.REPORT_KEY, owner_id=strategy_id
            )
            strategy.save()
        if webhook_secret:
            strategy.update(
                actions=[Strategy.webhook_secret_hash.set(hashlib.sha256(webhook_secret.encode()).hexdigest())]
            )
        return strategy

    def trader(self, key: Key) -> Any:
        """Return a client that trades with a key by the user's own hand."""
        config = {"apiKey": key.api_key, "secret": key.secret, "enableRateLimit": False, "timeout": 5000}
        return redirect(TranslatingFutures(config), self.stack.session["exchange"])

    @contextmanager
    def without_names(self, *claims: str) -> Iterator[None]:
        """Let the names be free for a while, as they are before anything is set up; what took them loses them again."""
        held = {claim: UniqueName.find(claim) for claim in claims}
        for found in held.values():
            if found is not None:
                found.delete()
        try:
            yield
        finally:
            for claim, found in held.items():
                if found is not None:
                    found.save()
                elif (taken := UniqueName.find(claim)) is not None:
                    taken.delete()
