"""Fills a new stack with a demo: users, plans, profiles, a strategy and its followers. Fires no alert.

Runs as `python -m local.seed` in the environment of the deployed functions, and writes a file that `make run` reads.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from functions.user_recorder.app import lambda_handler as record_user
from local.history import add_history
from local.stripe import PRO_PRICE, STANDARD_PRICE
from local.telegram import BOT_NAME
from local.telegram.bot import open_link
from shared.aws_session import aws_session
from shared.clock import to_iso, utc_now
from shared.config import settings
from shared.models.base import LISTED, created_key
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.models.follower import Follower
from shared.models.key_balance import KeyBalance
from shared.models.notification_setting import NotificationSetting
from shared.models.plan import Plan
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.unique_name import NameKind, UniqueName
from shared.models.user import ADMIN_GROUP, User
from shared.notifications.telegram_link import make_link
from shared.secrets import SecretKind, seal
from shared.trading.lane_choice import FIRST_LANE

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

_CHATS = 10**10
"""Ids of private chats at Telegram have about this size."""

_T = TypeVar("_T", Plan, RiskProfile)

SYMBOL = "BTC/USDT"
EXCHANGE = "BINANCE"
ADMIN = "admin@example.com"
USER = "user@example.com"
PROFILES = {"CONSERVATIVE": Decimal("1.5"), "MODERATE": Decimal(2), "AGGRESSIVE": Decimal(3)}


@dataclass(frozen=True, slots=True)
class SeededFollower:
    """One demo follower, and its account at the paper exchange."""

    id: str
    name: str
    profile: str
    percentage: str
    api_key_id: str
    api_key: str
    api_secret: str
    balance: str


@dataclass(frozen=True, slots=True)
class Seeded:
    """The part of the data that the demo and the session need."""

    admin_token: str
    user_token: str
    strategy_id: str
    webhook_secret: str
    chat_id: str
    """The Telegram chat that is linked to the first follower's user."""
    followers: list[SeededFollower]


def seed(follower_count: int) -> Seeded:
    """Write the demo's data, dated a minute back so that the followers are older than any alert."""
    created_at = utc_now() - timedelta(minutes=1)
    users = _Users(created_at)
    plan = _plans(created_at)
    _profiles(created_at)
    NotificationSetting(created_at=created_at, updated_at=created_at).save()
    _Admins().add(ADMIN, "Ada", "Admin")
    users.add(USER, "Uma", "User", plan=plan)
    seeded = _followed_strategy("DEMO", SYMBOL, follower_count, users=users)
    first = seeded.followers[0]
    owner = ExchangeKey.get(first.api_key_id).user_id
    add_history(owner, first.api_key_id, balance=Decimal(first.balance), today=created_at.date())
    return seeded


def add_strategy(name: str, symbol: str, follower_count: int) -> Seeded:
    """Write one more strategy with its own followers into a seeded stack, for tests and measurements."""
    return _followed_strategy(name, symbol, follower_count, users=_Users(utc_now() - timedelta(minutes=1)))


def add_strategies(name: str, symbol: str, follower_count: int, *, count: int) -> list[Seeded]:
    """Write `count` more strategies, named `<name>-1` and so on, each with its own followers."""
    return [add_strategy(f"{name}-{number}", symbol, follower_count) for number in range(1, count + 1)]


def _followed_strategy(name: str, symbol: str, follower_count: int, *, users: _Users) -> Seeded:
    plan = next(one for one in _listed(Plan) if one.strategy_automated)
    webhook_secret = secrets.token_urlsafe(32)
    strategy = _strategy(name, symbol, webhook_secret=webhook_secret, created_at=users.created_at)
    followers, lanes = [], _deployed_lanes()
    for number, profile in enumerate(islice(cycle(_listed(RiskProfile)), follower_count), start=1):
        user = users.add(f"{name.lower()}-{number}@example.com", "Follower", str(number), plan=plan)
        moment = users.created_at + timedelta(milliseconds=number)
        followers.append(
            _follower(number, user_id=user, strategy=strategy, profile=profile, lanes=lanes, created_at=moment)
        )
    return Seeded(
        admin_token=_Admins().token(ADMIN),
        user_token=users.token(USER),
        strategy_id=strategy.id,
        webhook_secret=webhook_secret,
        chat_id=_link_chat(followers[0]),
        followers=followers,
    )


def _link_chat(follower: SeededFollower) -> str:
    """Open the user's link in a chat, as a person does, so that the bot's webhook links the two."""
    key = ExchangeKey.get(follower.api_key_id)
    chat_id = str(secrets.randbelow(_CHATS) + 1)
    link = make_link(key.user_id, bot_name=BOT_NAME, at=utc_now()).url
    open_link(settings().telegram_url, chat_id, link)
    if User.get(key.user_id, consistent_read=True).telegram_chat_id != chat_id:
        raise RuntimeError("the demo's Telegram chat was not linked")
    return chat_id


def _listed(table: type[_T]) -> list[_T]:
    """Return the records of a small table in the order of creation."""
    keys = [found.id for found in table.by_created.query(LISTED)]
    records = table.find_many(keys, consistent=True)
    return [records[key] for key in keys]


class _Pool:
    """One of the two user pools."""

    def __init__(self, pool_id: str, client_id: str) -> None:
        self._pool, self._client = pool_id, client_id
        self._password = secrets.token_urlsafe(24) + "aA1"
        self._cognito: CognitoIdentityProviderClient = aws_session().client("cognito-idp")

    def create_account(self, email: str, first_name: str, last_name: str) -> dict[str, str]:
        """Create a confirmed account and return its attributes."""
        created = self._cognito.admin_create_user(
            UserPoolId=self._pool,
            Username=email,
            UserAttributes=[
                {"Name": "email", "Value": email},
                {"Name": "email_verified", "Value": "true"},
                {"Name": "given_name", "Value": first_name},
                {"Name": "family_name", "Value": last_name},
            ],
            MessageAction="SUPPRESS",
        )
        self._set_password(email)
        return {one["Name"]: one["Value"] for one in created["User"]["Attributes"]}

    def token(self, email: str) -> str:
        """Sign in and return the id token."""
        self._set_password(email)
        answer = self._cognito.admin_initiate_auth(
            UserPoolId=self._pool,
            ClientId=self._client,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": self._password},
        )
        return answer["AuthenticationResult"]["IdToken"]

    def _set_password(self, email: str) -> None:
        self._cognito.admin_set_user_password(
            UserPoolId=self._pool, Username=email, Password=self._password, Permanent=True
        )


class _Admins(_Pool):
    """Admins in their own pool. They are no users of ours."""

    def __init__(self) -> None:
        super().__init__(settings().admin_pool_id, settings().admin_pool_client_id)

    def add(self, email: str, first_name: str, last_name: str) -> None:
        """Create an account in the group `admin`."""
        self.create_account(email, first_name, last_name)
        self._cognito.admin_add_user_to_group(UserPoolId=self._pool, Username=email, GroupName=ADMIN_GROUP)


class _Users(_Pool):
    """Users in Cognito and in our own table."""

    def __init__(self, created_at: datetime) -> None:
        super().__init__(settings().user_pool_id, settings().user_pool_client_id)
        self.created_at = created_at

    def add(self, email: str, first_name: str, last_name: str, *, plan: Plan) -> str:
        """Create a confirmed user with a plan and return its id."""
        attributes = self.create_account(email, first_name, last_name)
        user_id = attributes["sub"]
        # The embedded AWS does not invoke the user pool's Lambda, which creates the record.
        record_user(
            {
                "triggerSource": "PostConfirmation_ConfirmSignUp",
                "request": {"userAttributes": attributes | {"cognito:user_status": "CONFIRMED"}},
            },
            None,
        )
        actions = [User.plan_id.set(plan.id), User.plan_changed_at.set(self.created_at)]
        User(user_id).update(actions=[*actions])
        return user_id


def _plans(created_at: datetime) -> Plan:
    """Write DEFAULT, which forbids automation, STANDARD, which all users have, and PRO; return STANDARD."""
    default = Plan(
        str(uuid4()), name="DEFAULT", max_balance_usd=2000, max_api_key=3, default=True, strategy_automated=False
    )
    standard = Plan(
        str(uuid4()), name="STANDARD", monthly_price_usd=Decimal(40), max_balance_usd=50_000, max_api_key=10
    )
    pro = Plan(str(uuid4()), name="PRO", monthly_price_usd=Decimal(123), max_balance_usd=250_000, max_api_key=20)
    # Prices that the stand-in for Stripe has from the start.
    standard.stripe_price_id = STANDARD_PRICE
    pro.stripe_price_id = PRO_PRICE
    for number, plan in enumerate((default, standard, pro)):
        plan.private = False
        plan.created_at = plan.updated_at = created_at + timedelta(milliseconds=number)
        plan.created_key = created_key(to_iso(plan.created_at), plan.id)
        plan.save()
        _claim(NameKind.PLAN, plan.name, plan.id)
    _claim(NameKind.DEFAULT_PLAN, "", default.id)
    return standard


def _profiles(created_at: datetime) -> None:
    for number, (name, percentage) in enumerate(PROFILES.items()):
        profile_id, moment = str(uuid4()), created_at + timedelta(milliseconds=number)
        profile = RiskProfile(
            profile_id,
            created_key=created_key(to_iso(moment), profile_id),
            name=name,
            percentage=percentage,
            created_at=moment,
            updated_at=moment,
        )
        profile.save()
        _claim(NameKind.RISK_PROFILE, name, profile_id)


def _strategy(name: str, symbol: str, *, webhook_secret: str, created_at: datetime) -> Strategy:
    strategy_id, report_secret = str(uuid4()), secrets.token_hex(32)
    report_key = secrets.token_hex(32)
    _open_account(report_key, report_secret, Decimal(10_000))
    strategy = Strategy(
        strategy_id,
        created_key=created_key(to_iso(created_at), strategy_id),
        name=name,
        description="Made for a demonstration.",
        exchange_id=EXCHANGE,
        symbol=symbol,
        report_api_key=report_key,
        report_secret_ciphertext=seal(report_secret, kind=SecretKind.REPORT_KEY, owner_id=strategy_id),
        webhook_secret_hash=hashlib.sha256(webhook_secret.encode()).hexdigest(),
        created_at=created_at,
        updated_at=created_at,
    )
    strategy.save()
    _claim(NameKind.STRATEGY, strategy.name, strategy_id)
    return strategy


def _deployed_lanes() -> list[str]:
    """Return the lanes that have an executor: every key names them all."""
    further = {lane.lane for lane in EgressLane.scan() if lane.orders_queue_url}
    return [FIRST_LANE, *sorted(further - {FIRST_LANE})]


def _follower(
    number: int, *, user_id: str, strategy: Strategy, profile: RiskProfile, lanes: list[str], created_at: datetime
) -> SeededFollower:
    key_id, follower_id, api_secret = str(uuid4()), str(uuid4()), secrets.token_hex(32)
    # Uneven balances show how amounts are rounded; all are far below the plan's maximum.
    balance = Decimal(10_000) + Decimal("731.37") * (number % 13)
    api_key = secrets.token_hex(32)
    alias = _open_account(api_key, api_secret, balance)
    ExchangeKey(
        key_id,
        user_id=user_id,
        created_key=created_key(to_iso(created_at), key_id),
        exchange_id=EXCHANGE,
        trade_type=TradeType.FUTURES,
        strategy_type=StrategyType.AUTOMATED,
        name=f"Demo {number}",
        api_key=api_key,
        secret_ciphertext=seal(api_secret, kind=SecretKind.EXCHANGE_KEY, owner_id=key_id),
        account={"apiKey": api_key, "alias": alias},
        egress_lanes=lanes if len(lanes) > 1 else None,
        created_at=created_at,
        updated_at=created_at,
    ).save()
    KeyBalance(key_id, total_usd=balance, updated_at=created_at).save()
    Follower(
        strategy.id,
        created_key(to_iso(created_at), follower_id),
        id=follower_id,
        api_key_id=key_id,
        symbol=strategy.symbol,
        user_id=user_id,
        risk_profile_id=profile.id,
        created_at=created_at,
        updated_at=created_at,
    ).save()
    return SeededFollower(
        id=follower_id,
        name=f"Follower {number}",
        profile=profile.name,
        percentage=str(profile.percentage),
        api_key_id=key_id,
        api_key=api_key,
        api_secret=api_secret,
        balance=str(balance),
    )


def _claim(kind: NameKind, name: str, owner_id: str) -> None:
    UniqueName(UniqueName.claim_key(kind, name), owner_id=owner_id).save()


def _open_account(api_key: str, secret: str, balance: Decimal) -> str:
    """Open an account at the paper exchange, unless the key has one, and return the exchange's name of it."""
    body = {"apiKey": api_key, "secret": secret, "balances": {"USDT": str(balance)}}
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{settings().exchange_url}/paper/accounts",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return str(json.load(answer)["accountAlias"])
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.CONFLICT:  # it exists after a restart, with its books
            raise
    with urllib.request.urlopen(f"{settings().exchange_url}/paper/accounts/{api_key}", timeout=10) as answer:  # noqa: S310
        return str(json.load(answer)["accountAlias"])


def restore(kept: Path) -> Seeded:
    """Sign in after a restart with kept data, and open accounts that the paper exchange lost in a crash."""
    known = json.loads(kept.read_text(encoding="utf-8"))
    followers = [SeededFollower(**follower) for follower in known["followers"]]
    for follower in followers:
        _open_account(follower.api_key, follower.api_secret, Decimal(follower.balance))
    users = _Users(utc_now())
    return Seeded(
        admin_token=_Admins().token(ADMIN),
        user_token=users.token(USER),
        strategy_id=known["strategy_id"],
        webhook_secret=known["webhook_secret"],
        chat_id=known.get("chat_id", ""),
        followers=followers,
    )


def main() -> None:
    """Write the data, and the file about it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--followers", type=int, default=3)
    parser.add_argument("--restore", action="store_true", help="after a restart with the data of the file")
    parser.add_argument("--add", metavar="NAME", help="one more strategy, with followers of its own")
    parser.add_argument("--count", type=int, help="with --add: so many strategies, `NAME-1` and on, in a list")
    parser.add_argument("--symbol", default=SYMBOL)
    arguments = parser.parse_args()
    written: object
    if arguments.restore:
        written = asdict(restore(arguments.file))
    elif arguments.add and arguments.count:
        added = add_strategies(arguments.add, arguments.symbol, arguments.followers, count=arguments.count)
        written = [asdict(one) for one in added]
    elif arguments.add:
        written = asdict(add_strategy(arguments.add, arguments.symbol, arguments.followers))
    else:
        written = asdict(seed(arguments.followers))
    arguments.file.parent.mkdir(parents=True, exist_ok=True)
    arguments.file.touch(mode=0o600)
    arguments.file.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
