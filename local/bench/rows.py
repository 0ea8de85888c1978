"""Makes any number of DynamoDB items: one of each kind by its model, the others from it. Writes none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

from shared.clock import from_iso, to_iso
from shared.models.balance_day import BalanceDay
from shared.models.base import Table, created_key
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType, listed_shard_of
from shared.models.execution import Execution, trigger_partition
from shared.models.follower import Follower
from shared.models.key_balance import KeyBalance
from shared.models.manual_trade import ManualTrade
from shared.models.notice import Notice, new_notice
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.models.plan import Plan
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.strategy_follower_day import StrategyFollowerDay
from shared.models.trigger import FanoutState, Trigger
from shared.models.user import User
from shared.notifications.notice_types import AccountChange, AccountChanged, to_json
from shared.notifications.recipients import to_user
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side, StopType, StrategySource

Row = dict[str, Any]
"""`{"attribute": {"S": "value"}}`."""


def id_of(kind: str, number: int) -> str:
    """Return the id of a record, which is the same in every run."""
    return str(uuid5(NAMESPACE_OID, f"{kind} {number}"))


_FIRST: Final = from_iso("2026-01-01T00:00:00Z")
_KINDS: Final = ("user", "key", "strategy", "plan", "profile", "trigger")

USER, KEY, STRATEGY, PLAN, PROFILE, TRIGGER = (id_of(kind, 0) for kind in _KINDS)
"""Most records belong to these, and their lists are measured."""

NOBODY: Final = id_of("user", 1)
"""A user without a key, as most are: the number of a user's keys is limited by the plan."""

TRIGGER_EXECUTIONS: Final = 100
REPORTED_DAYS: Final = 30

FIRST_USER_EVENTS: Final = 120
"""The first user's events; each other user has one. More than a page."""
BALANCE_DAYS: Final = 120

# The first executions have one each, so that little data fills a page; later one execution in twenty.
_FIRST_FILLS: Final = 120
_FILLS_APART: Final = 20


def _created(kind: str, number: int) -> tuple[str, Row]:
    """Return a record's id and the attributes that depend on its number."""
    record_id, moment = id_of(kind, number), to_iso(_FIRST + timedelta(seconds=number))
    texts = {"id": record_id, "created_key": created_key(moment, record_id), "created_at": moment, "updated_at": moment}
    return record_id, {name: {"S": text} for name, text in texts.items()}


def _owner_of(number: int, count: int) -> int:
    """Return the number of a record's owner: six of ten records belong to the first one."""
    return 0 if number % 10 < 6 else number % count  # noqa: PLR2004


@cache
def _template(make: Callable[[], Table]) -> Row:
    row: Row = make().serialize()
    return row


def _common(**more: Any) -> dict[str, Any]:
    return {"id": "", "created_key": "", "created_at": _FIRST, "updated_at": _FIRST} | more


def _user() -> Table:
    return User(**_common(first_name="John", last_name="Doetwo", plan_id=PLAN))


def _key() -> Table:
    types = {"trade_type": TradeType.FUTURES, "strategy_type": StrategyType.AUTOMATED}
    return ExchangeKey(**_common(user_id="", api_key="key", secret_ciphertext=b"sealed", **types))


def _balance() -> Table:
    return KeyBalance(api_key_id="", total_usd=Decimal("13371.62664883"), updated_at=_FIRST)


def _follower() -> Table:
    owners = {"strategy_id": STRATEGY, "risk_profile_id": PROFILE, "user_id": "", "api_key_id": ""}
    return Follower(**_common(symbol="BTC/USDT", **owners))


def _strategy() -> Table:
    sealed = {"report_api_key": "key", "report_secret_ciphertext": b"sealed"}
    return Strategy(**_common(name="", exchange_id="BINANCE", symbol="BTC/USDT", **sealed))


def _plan() -> Table:
    return Plan(**_common(name="", max_balance_usd=5000, max_api_key=10, private=False))


def _profile() -> Table:
    return RiskProfile(**_common(name="", percentage=Decimal("1.5")))


_SIGNAL: Final[dict[str, Any]] = {
    "strategy_source": StrategySource.TRADINGVIEW,
    "exchange_id": "BINANCE",
    "symbol": "BTC/USDT",
    "side": Side.BUY,
    "stop": Decimal(21300),
    "stop_type": StopType.MARKET,
    "take_profits": [Decimal(22300), Decimal(22310)],
    "strategy_id": STRATEGY,
}


def _trigger() -> Table:
    return Trigger(
        id="",
        seq=0,
        price=Decimal(21600),
        active=False,
        fanout_state=FanoutState.DONE,
        pending=None,
        created_at=_FIRST,
        updated_at=_FIRST,
        **_SIGNAL,
    )


def _follower_day() -> Table:
    return StrategyFollowerDay("", "", alerts=1, asked=10, reached=9, followers=9, updated_at=_FIRST)


def _leader_day() -> Table:
    return PerformanceDay("", "", profit=Decimal("70.51"), trades=2, updated_at=_FIRST)


def _execution() -> Table:
    owners = {"user_id": "", "api_key_id": KEY, "follower_id": "", "follower_key": "", "risk_profile_id": PROFILE}
    return Execution(
        **_common(
            state=ExecutionState.CLOSED,
            trigger_id="",
            trigger_part="",
            seq=0,
            risk_pct=Decimal("1.5"),
            order_price=Decimal(21600),
            received_at=_FIRST,
            **owners,
            **_SIGNAL,
        )
    )


def _event() -> Table:
    change = AccountChanged(what=AccountChange.PROFILE, name="first_name", at=_FIRST)
    return new_notice("", recipient="", kind=change.kind, cause="bench", content=to_json(change), images=[], at=_FIRST)


def _balance_day() -> Table:
    return BalanceDay(KEY, "", total_usd=Decimal("13371.62664883"), updated_at=_FIRST)


def _fill() -> Table:
    return ManualTrade(
        api_key_id=KEY,
        trade_key="",
        id="",
        user_id=USER,
        exchange_trade_id="1",
        exchange_order_id="1",
        symbol="BTC/USDT",
        side=Side.BUY,
        amount=Decimal("0.673"),
        price=Decimal("19299.9"),
        cost=Decimal("12988.8327"),
        fee=Decimal("5.19553307"),
        fee_currency="USDT",
        created_at=_FIRST,
    )


def users(numbers: range) -> Iterator[tuple[type[Table], Row]]:
    """Return users, each with an event."""
    for number in numbers:
        user_id, created = _created("user", number)
        yield User, _template(_user) | created
        yield from _events(user_id, range(number, number + 1))
        if number == 0:
            yield from _events(user_id, range(1, FIRST_USER_EVENTS))


def strategies(numbers: range) -> Iterator[tuple[type[Table], Row]]:
    """Return strategies with reported days, as many plans, and one risk profile."""
    for number in numbers:
        name = {"name": {"S": f"NAME {number}"}}
        yield Strategy, _template(_strategy) | _created("strategy", number)[1] | name
        yield from _reported_days(number)
        yield Plan, _template(_plan) | _created("plan", number)[1] | name
        if number == 0:
            yield RiskProfile, _template(_profile) | _created("profile", number)[1] | name


def _events(user_id: str, numbers: range) -> Iterator[tuple[type[Table], Row]]:
    for number in numbers:
        event_id, created = _created(f"event of {user_id}", number)
        recipient, recorded = {"S": to_user(user_id)}, created["created_at"]
        row = {"id": {"S": event_id}, "created_key": created["created_key"], "recipient": recipient}
        yield Notice, _template(_event) | row | {"recorded_at": recorded}


def _balance_days() -> Iterator[tuple[type[Table], Row]]:
    for day in range(BALANCE_DAYS):
        yield BalanceDay, _template(_balance_day) | {"date": _date(day)}


def _date(day: int) -> Row:
    return {"S": (_FIRST + timedelta(days=day)).date().isoformat()}


def _reported_days(number: int) -> Iterator[tuple[type[Table], Row]]:
    """Return the days of a strategy's report: thirty of the first one, and one of each other."""
    strategy_id = id_of("strategy", number)
    for day in range(REPORTED_DAYS if number == 0 else 1):
        date = _date(day)
        yield StrategyFollowerDay, _template(_follower_day) | {"strategy_id": {"S": strategy_id}, "date": date}
        keys_of_day = {"ledger": {"S": f"{TradeLedger.LEADER}#{strategy_id}"}, "day_key": {"S": f"{date['S']}#report"}}
        yield PerformanceDay, _template(_leader_day) | keys_of_day


def keys(numbers: range) -> Iterator[tuple[type[Table], Row]]:
    """Return keys, each with a balance and a follower; the first one has balances of many days."""
    for number in numbers:
        key_id, created = _created("key", number)
        owner = {"user_id": {"S": id_of("user", _owner_of(number, 10))}}
        listed = {"listed_shard": {"S": listed_shard_of(key_id)}}
        yield ExchangeKey, _template(_key) | created | owner | listed
        yield KeyBalance, _template(_balance) | {"api_key_id": {"S": key_id}}
        if number == 0:
            yield from _balance_days()
        yield Follower, _template(_follower) | _created("follower", number)[1] | owner | {"api_key_id": {"S": key_id}}


def executions(numbers: range) -> Iterator[tuple[type[Table], Row]]:
    """Return executions, a trigger for every hundred of them, and manual fills of the first user."""
    for number in numbers:
        trigger_id, trigger = _created("trigger", number // TRIGGER_EXECUTIONS)
        seq = {"seq": {"N": str(number // TRIGGER_EXECUTIONS + 1)}}
        if number % TRIGGER_EXECUTIONS == 0:
            del trigger["created_key"]
            yield Trigger, _template(_trigger) | trigger | seq
        execution_id, created = _created("execution", number)
        owners = {
            "user_id": id_of("user", _owner_of(number, 10)),
            "follower_id": id_of("follower", number % TRIGGER_EXECUTIONS),
            "trigger_id": trigger_id,
            "trigger_part": trigger_partition(trigger_id, execution_id),
        }
        yield Execution, _template(_execution) | created | seq | {name: {"S": one} for name, one in owners.items()}
        if number >= _FIRST_FILLS and number % _FILLS_APART:
            continue
        fill_id, filled = _created("fill", number)
        fill = {"id": {"S": fill_id}, "trade_key": filled["created_key"], "created_at": filled["created_at"]}
        yield ManualTrade, _template(_fill) | fill
