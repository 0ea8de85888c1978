"""Stores collected fills, each once, with its share of the day's performance; then advances the cursors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from pynamodb.transactions import TransactWrite

from functions.manual_trade_importer.collection import CollectedFills
from shared.errors import RecordChanged
from shared.exchange.account_fills import AccountFill
from shared.models.base import transact
from shared.models.exchange_key import ExchangeKey
from shared.models.import_cursor import ImportCursor
from shared.models.import_scan import ImportScan
from shared.models.manual_trade import ManualTrade, manual_trade_id
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.observability import logger
from shared.trading.arithmetic import exact
from shared.trading.valuation import usd_price, usd_value

_MONEY = Decimal("1e-8")


@dataclass(frozen=True, slots=True)
class FillResult:
    """The result of a futures fill, in dollars."""

    profit: Decimal
    """After the fee."""
    fee: Decimal
    closes: bool
    """Whether the exchange reported a profit or loss: the fill closed (part of) a position."""


def save_fills(
    key: ExchangeKey, collected: CollectedFills, *, before: ImportScan | None, prices: Mapping[str, Decimal]
) -> int:
    """Store the collected fills, then save the progress; return how many fills were new.

    The order matters: after a crash in between, the next run reads the same fills again, and none counts twice.
    """
    results = [_result_of(fill, prices) for fill in collected.fills]
    balances = _balances_after(collected, results, prices)
    trades = [_trade_of(key, fill) for fill in collected.fills]
    existing = ManualTrade.find_many([(one.api_key_id, one.trade_key) for one in trades], consistent=True)
    new = 0
    for trade, result, balance in zip(trades, results, balances, strict=True):
        if (trade.api_key_id, trade.trade_key) not in existing:
            new += _store(trade, result, balance)
    for symbol, next_id in collected.next_ids.items():
        ImportCursor.move(key.id, symbol, next_id)
    if collected.complete:
        collected.scan.replace(before)
    return new


def _store(trade: ManualTrade, result: FillResult | None, balance: Decimal | None) -> bool:
    """Store one fill with its share of the day, and return whether it was new."""

    def write(transaction: TransactWrite) -> None:
        transaction.save(trade, condition=ManualTrade.id.does_not_exist())
        if result is not None:
            PerformanceDay.add(
                transaction,
                ledger=TradeLedger.MANUAL,
                user_id=trade.user_id,
                api_key_id=trade.api_key_id,
                closed_at=trade.created_at,
                profit=result.profit,
                fee=result.fee,
                balance=balance,
                is_trade=result.closes,
            )

    try:
        transact(write)
    except RecordChanged:
        return False
    return True


def _result_of(fill: AccountFill, prices: Mapping[str, Decimal]) -> FillResult | None:
    """Return the result of a fill, or None on spot, where the asset's cost is unknown."""
    if fill.realized_pnl is None:
        return None
    with exact():
        fee = fill.fee * _price_of(fill.fee_currency, prices)
        gross = fill.realized_pnl * _price_of(fill.quote, prices)
        return FillResult((gross - fee).quantize(_MONEY), fee.quantize(_MONEY), closes=bool(fill.realized_pnl))


def _price_of(asset: str, prices: Mapping[str, Decimal]) -> Decimal:
    price = usd_price(asset, prices)
    if price is None:
        logger.warning("assets_without_price", assets=[asset])
        return Decimal(0)
    return price


def _balances_after(
    collected: CollectedFills, results: list[FillResult | None], prices: Mapping[str, Decimal]
) -> list[Decimal | None]:
    """Return the account's balance after each fill, calculated backwards from its current balance.

    The balances are unknown (None) while later fills are still to be read.
    """
    if not collected.complete:
        return [None] * len(results)
    balance = usd_value(collected.amounts, prices).total
    found: list[Decimal | None] = []
    for result in reversed(results):
        found.append(None if result is None else balance.quantize(_MONEY))
        balance -= Decimal(0) if result is None else result.profit
    return found[::-1]


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
