"""Table `performance_days`: the result of closed trades, one record per account and UTC day.

Of a user (ledgers STRATEGY and MANUAL), or of a strategy's leader (LEADER): then the strategy stands for the user.

Performance is read from this table, so that its cost grows with the number of days, not of trades.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from shared.clock import from_iso, to_iso, utc_now
from shared.models.attributes import DecimalAttribute, IntegerAttribute, TimeAttribute, text_list
from shared.models.base import SCHEMA_VERSION, Table, TableName
from shared.trading.loss_limit import BookedResult
from shared.trading.performance import AccountDay

_ZERO = Decimal(0)
_RECENT_DAYS = 9
"""A window of 7 days is in eight UTC days; one more for the wallet before it."""

# Texts below and above every `day_key`; the latter is also above everything that follows a day in it.
_BEFORE_ALL = "0"
_AFTER_ALL = "~"


class TradeLedger(StrEnum):
    """Whose trades are counted: a user's by strategies or by hand, or those on the account of a strategy's leader."""

    STRATEGY = "STRATEGY"
    MANUAL = "MANUAL"
    LEADER = "LEADER"


class PerformanceDay(Table):
    """Running sums of the trades that one account closed on a day; money in the margin asset (USDT)."""

    class Meta:
        table_name = TableName("performance_days")

    ledger = UnicodeAttribute(hash_key=True)
    """`STRATEGY#<user id>`, `MANUAL#<user id>` or `LEADER#<strategy id>`."""
    day_key = UnicodeAttribute(range_key=True)
    """`2022-09-13#<exchange key id>`."""
    profit = DecimalAttribute(default=lambda: _ZERO)
    """Realised, after fees, funding included."""
    fee = DecimalAttribute(default=lambda: _ZERO)
    funding = DecimalAttribute(default=lambda: _ZERO)
    trades = IntegerAttribute(default=0)
    winning_trades = IntegerAttribute(default=0)
    losing_trades = IntegerAttribute(default=0)
    won = DecimalAttribute(default=lambda: _ZERO)
    lost = DecimalAttribute(default=lambda: _ZERO)
    """Sum of the losing trades' losses, not negative."""
    opening_balance = DecimalAttribute(null=True)
    """The wallet before the day's first trade was closed, earlier transfers included."""
    closed_balance = DecimalAttribute(null=True)
    """The wallet after the day's latest trade."""
    unpriced = text_list(null=True)
    """The assets that the balances leave out for want of a price; absent for none."""
    results = text_list(null=True)
    """Of a user's strategies, each result by itself: `<closed at> <quote asset> <profit> <wallet after it>`."""
    updated_at = TimeAttribute()

    @classmethod
    def add(
        cls,
        transaction: TransactWrite,
        *,
        ledger: TradeLedger,
        user_id: str,
        api_key_id: str,
        closed_at: datetime,
        profit: Decimal,
        fee: Decimal,
        balance: Decimal | None,
        unpriced: Sequence[str] = (),
        funding: Decimal = _ZERO,
        is_trade: bool = True,
        quote: str | None = None,
    ) -> None:
        """Add a result to its day, in the transaction that stores the result, so that it counts once.

        `profit` is after `fee` and includes `funding`; `balance` is the wallet after it, None if unknown, without
        the assets in `unpriced`. A fill that closes nothing costs its fee, and is no trade (`is_trade` false). With
        `quote`, the asset of profit and balance, the result is listed by itself too, for limits of losses.
        """
        day = closed_at.astimezone(UTC).date().isoformat()
        actions: list[Action] = [
            cls.profit.add(profit),
            cls.fee.add(fee),
            cls.funding.add(funding),
            cls.trades.add(int(is_trade)),
            cls.winning_trades.add(int(is_trade and profit > 0)),
            cls.losing_trades.add(int(is_trade and profit < 0)),
            cls.won.add(max(profit, _ZERO) if is_trade else _ZERO),
            cls.lost.add(max(-profit, _ZERO) if is_trade else _ZERO),
            cls.updated_at.set(utc_now()),
            cls.schema_version.set(SCHEMA_VERSION),
        ]
        if balance is not None:
            opening = cls.opening_balance | (balance - profit)
            actions += [cls.opening_balance.set(opening), cls.closed_balance.set(balance)]
            actions.append(cls.unpriced.set(list(unpriced)) if unpriced else cls.unpriced.remove())
            if quote is not None:
                listed = f"{to_iso(closed_at)} {quote} {profit:f} {balance:f}"
                actions.append(cls.results.set((cls.results | []).append([listed])))
        transaction.update(cls(_ledger_of(ledger, user_id), f"{day}#{api_key_id}"), actions=actions)

    @classmethod
    def recent_keys(cls, user_id: str, api_key_id: str, *, now: datetime) -> list[tuple[str, str]]:
        """Return the keys of an account's days by strategies that any 7 days until now are in, with a day before."""
        today = now.astimezone(UTC).date()
        days = [today - timedelta(days=number) for number in range(_RECENT_DAYS)]
        return [(_ledger_of(TradeLedger.STRATEGY, user_id), f"{day.isoformat()}#{api_key_id}") for day in days]

    @classmethod
    def strategy_days(cls, user_id: str, api_key_id: str, *, since: datetime) -> Iterator[PerformanceDay]:
        """Yield an account's days by strategies from the day of a time on, oldest first."""
        condition = cls.day_key >= since.astimezone(UTC).date().isoformat()
        for day in cls.query(_ledger_of(TradeLedger.STRATEGY, user_id), condition):
            if day.day_key.partition("#")[2] == api_key_id:
                yield day

    def results_in(self, quote: str) -> list[BookedResult]:
        """Return the day's results in an asset."""
        listed = [text.split(" ") for text in self.results or ()]
        return [
            BookedResult(closed_at=from_iso(closed_at), profit=Decimal(profit), wallet=Decimal(wallet))
            for closed_at, asset, profit, wallet in listed
            if asset == quote
        ]

    @classmethod
    def replace(cls, ledger: TradeLedger, owner_id: str, day: AccountDay, *, funding: Decimal) -> None:
        """Store a whole day in place of what there was of it; repeatable."""
        cls(
            _ledger_of(ledger, owner_id),
            f"{day.date.isoformat()}#{day.account}",
            profit=day.profit,
            fee=day.fee,
            funding=funding,
            trades=day.trades,
            winning_trades=day.winning_trades,
            losing_trades=day.losing_trades,
            won=day.won,
            lost=day.lost,
            opening_balance=day.opening_balance,
            closed_balance=day.closed_balance,
            unpriced=list(day.unpriced) or None,
            updated_at=utc_now(),
        ).save()

    @classmethod
    def since(
        cls, ledger: TradeLedger, user_id: str, first_day: str | None, *, last_day: str | None = None
    ) -> Iterator[AccountDay]:
        """Yield a user's days from `first_day` (`2022-09-13`) to `last_day`, oldest first; None means no limit."""
        condition = cls.day_key.between(first_day or _BEFORE_ALL, f"{last_day or ''}{_AFTER_ALL}")
        for record in cls.query(_ledger_of(ledger, user_id), condition):
            day, _, api_key_id = record.day_key.partition("#")
            yield AccountDay(
                date=date.fromisoformat(day),
                account=api_key_id,
                profit=record.profit,
                fee=record.fee,
                trades=record.trades,
                winning_trades=record.winning_trades,
                losing_trades=record.losing_trades,
                won=record.won,
                lost=record.lost,
                opening_balance=record.opening_balance,
                closed_balance=record.closed_balance,
                unpriced=tuple(record.unpriced or ()),
            )


def _ledger_of(ledger: TradeLedger, user_id: str) -> str:
    return f"{ledger.value}#{user_id}"
