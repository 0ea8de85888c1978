"""Stores collected fills and incomes, each once, with its share of the day's performance; then advances the cursors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pynamodb.transactions import TransactWrite

from functions.manual_trade_importer.collection import CollectedFills
from shared.errors import RecordChanged
from shared.exchange.account_fills import AccountFill, AccountIncome, IncomeKind
from shared.exchange.account_results import MONEY_STEP, Result, result_of_fill, result_of_income
from shared.models.base import transact
from shared.models.exchange_key import ExchangeKey
from shared.models.import_cursor import ImportCursor
from shared.models.import_scan import ImportScan
from shared.models.manual_income import ManualIncome
from shared.models.manual_trade import ManualTrade, manual_trade_id
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.models.position_history import HistoryKind
from shared.trading.valuation import unpriced_assets, usd_value

INCOMES_A_RUN = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A fill or an income, as it is stored, with its result; None on spot, where the asset's cost is unknown."""

    record: ManualTrade | ManualIncome
    result: Result | None

    @property
    def at(self) -> datetime:
        """When it happened, by the exchange's clock."""
        return self.record.created_at


def save_fills(
    key: ExchangeKey, collected: CollectedFills, *, before: ImportScan | None, prices: Mapping[str, Decimal]
) -> int:
    """Store what was collected, then save the progress; return how many fills and incomes were new.

    The order matters: after a crash in between, the next run reads the same again, and nothing counts twice.
    """
    trades = [Entry(_trade_of(key, fill), result_of_fill(fill, prices)) for fill in collected.fills]
    incomes = [Entry(_income_of(key, income), result_of_income(income, prices)) for income in collected.incomes]
    existing = _existing(trades, incomes)
    left_over = [entry for entry in incomes if _key_of(entry) not in existing][INCOMES_A_RUN:]
    if left_over:
        collected.complete = False
    entries = sorted((entry for entry in (*trades, *incomes) if entry not in left_over), key=lambda entry: entry.at)
    new = 0
    unpriced = unpriced_assets(collected.amounts, prices)
    for entry, balance in zip(entries, _balances_after(collected, entries, prices), strict=True):
        if _key_of(entry) not in existing:
            new += _store(key, entry, balance, unpriced)
    for symbol, next_id in collected.next_ids.items():
        ImportCursor.move(key.id, symbol, next_id)
    if collected.complete:
        collected.scan.replace(before)
    return new


def _existing(trades: Sequence[Entry], incomes: Sequence[Entry]) -> set[tuple[str, str]]:
    """Return the keys of those that are stored."""
    return {
        *ManualTrade.find_many([_key_of(entry) for entry in trades], consistent=True),
        *ManualIncome.find_many([_key_of(entry) for entry in incomes], consistent=True),
    }


def _key_of(entry: Entry) -> tuple[str, str]:
    record = entry.record
    return record.api_key_id, record.trade_key if isinstance(record, ManualTrade) else record.income_key


def _store(key: ExchangeKey, entry: Entry, balance: Decimal | None, unpriced: Sequence[str]) -> bool:
    """Store one fill or income with its share of the day, and return whether it was new."""
    record, result = entry.record, entry.result

    def write(transaction: TransactWrite) -> None:
        transaction.save(record, condition=type(record).api_key_id.does_not_exist())
        if result is not None:
            PerformanceDay.add(
                transaction,
                ledger=TradeLedger.MANUAL,
                user_id=key.user_id,
                api_key_id=key.id,
                closed_at=entry.at,
                profit=result.profit,
                fee=result.fee,
                funding=result.funding,
                balance=balance,
                unpriced=unpriced,
                is_trade=result.closes,
            )

    try:
        transact(write)
    except RecordChanged:
        return False
    return True


def _balances_after(
    collected: CollectedFills, entries: Sequence[Entry], prices: Mapping[str, Decimal]
) -> Iterator[Decimal | None]:
    """Return the account's balance after each fill or income, calculated backwards from its current balance.

    The balances are unknown (None) while later ones are still to be read.
    """
    balance = usd_value(collected.amounts, prices).total
    found: list[Decimal | None] = []
    for entry in reversed(entries):
        known = collected.complete and entry.result is not None
        found.append(balance.quantize(MONEY_STEP) if known else None)
        balance -= Decimal(0) if entry.result is None else entry.result.profit
    return reversed(found)


def _trade_of(key: ExchangeKey, fill: AccountFill) -> ManualTrade:
    trade_id = manual_trade_id(api_key_id=key.id, symbol=fill.venue_symbol, exchange_trade_id=str(fill.trade_id))
    return ManualTrade(
        key.id,
        ManualTrade.key_of(fill.at, trade_id),
        id=trade_id,
        user_id=key.user_id,
        exchange_trade_id=str(fill.trade_id),
        exchange_order_id=fill.order_id,
        symbol=fill.symbol,
        side=fill.side,
        amount=fill.amount,
        price=fill.price,
        cost=fill.cost,
        fee=fill.fee,
        fee_currency=fill.fee_currency,
        realized_pnl=fill.realized_pnl,
        created_at=fill.at,
    )


def _income_of(key: ExchangeKey, income: AccountIncome) -> ManualIncome:
    income_key = f"{income.kind.value}#{income.transaction_id}"
    return ManualIncome(
        key.id,
        income_key,
        user_id=key.user_id,
        time_key=ManualIncome.time_key_of(income.at, income_key=income_key, api_key_id=key.id),
        kind=HistoryKind.LIQUIDATION_FEE if income.kind is IncomeKind.LIQUIDATION_FEE else HistoryKind.FUNDING,
        symbol=income.venue_symbol,
        amount=income.amount,
        asset=income.asset,
        created_at=income.at,
    )
