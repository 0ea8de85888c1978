"""Trades as rows for a tax adviser: each fill, fee, funding payment and realised profit is a row. Knows no HTTP.

The rows of one closed position, fills aside, add up to its booked profit. Money is in `asset`, and negative where paid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypedDict, assert_never
from zoneinfo import ZoneInfo

from shared.api.answers import Id
from shared.clock import to_iso
from shared.concurrency import run_concurrently
from shared.config import settings
from shared.models.execution import Execution
from shared.models.manual_income import ManualIncome
from shared.models.manual_trade import ManualTrade
from shared.models.position_history import HistoryKind, PositionHistory
from shared.trading.ids import parse_client_order_id
from shared.trading.sides import Side
from shared.trading.symbols import assets_of, symbol_name, unlisted_symbol_name

_ZERO = Decimal(0)


class RowKind(StrEnum):
    """What a row is."""

    FILL = "FILL"
    FEE = "FEE"
    FUNDING = "FUNDING"
    LIQUIDATION_FEE = "LIQUIDATION_FEE"
    REALIZED_PROFIT = "REALIZED_PROFIT"
    """Before fees and funding, which have rows of their own."""


class TradeRow(TypedDict):
    """One row. `value` of a fill is its cost; the exchange's ids are text, since spreadsheets round long numbers."""

    time: str
    kind: RowKind
    symbol: str
    side: Side | None
    amount: Decimal | None
    price: Decimal | None
    value: Decimal
    asset: str
    exchangeKeyId: Id
    exchangeKeyName: str
    strategyName: str
    executionId: Id | None
    exchangeTradeId: str
    exchangeOrderId: str


def rows_of_executions(executions: Sequence[Execution], *, zone: ZoneInfo) -> list[tuple[datetime, TradeRow]]:
    """Return the rows of executions with the time of each, execution by execution, by time within one."""
    held = [one for one in executions if one.filled_amount]
    histories = run_concurrently(lambda one: list(PositionHistory.query(one.id)), held)
    found: list[tuple[datetime, TradeRow]] = []
    for execution, history in zip(held, histories, strict=True):
        found += sorted(_rows_of(execution, history, zone=zone), key=lambda row: row[0])
    return found


def rows_of_manual_entries(
    entries: Sequence[ManualTrade | ManualIncome], *, key_names: dict[str, str], zone: ZoneInfo
) -> list[tuple[datetime, TradeRow]]:
    """Return the rows of MANUAL keys' fills and incomes with the time of each, in their order."""
    found: list[tuple[datetime, TradeRow]] = []
    for entry in entries:
        row = _row_of_key(entry, key_name=key_names.get(entry.api_key_id, ""), zone=zone)
        rows = _rows_of_fill(row, entry) if isinstance(entry, ManualTrade) else _rows_of_income(row, entry)
        found += [(entry.created_at, one) for one in rows]
    return found


def _rows_of_fill(row: TradeRow, trade: ManualTrade) -> Iterator[TradeRow]:
    row |= {
        "symbol": trade.symbol,
        "side": trade.side,
        "amount": trade.amount,
        "price": trade.price,
        "value": trade.cost,
        "asset": _quote(trade.symbol),
        "exchangeTradeId": trade.exchange_trade_id,
        "exchangeOrderId": trade.exchange_order_id,
    }
    yield row
    yield from _money(row, RowKind.FEE, -trade.fee, trade.fee_currency)
    yield from _money(row, RowKind.REALIZED_PROFIT, trade.realized_pnl or _ZERO, row["asset"])


def _rows_of_income(row: TradeRow, income: ManualIncome) -> Iterator[TradeRow]:
    name = symbol_name(income.symbol, quote=income.asset) or unlisted_symbol_name(income.symbol)
    row |= {"symbol": name, "exchangeTradeId": income.transaction_id}
    kind = RowKind.LIQUIDATION_FEE if income.kind is HistoryKind.LIQUIDATION_FEE else RowKind.FUNDING
    yield from _money(row, kind, income.amount, income.asset)


def _row_of_key(entry: ManualTrade | ManualIncome, *, key_name: str, zone: ZoneInfo) -> TradeRow:
    return {
        "time": _local(entry.created_at, zone),
        "kind": RowKind.FILL,
        "symbol": "",
        "side": None,
        "amount": None,
        "price": None,
        "value": _ZERO,
        "asset": "",
        "exchangeKeyId": entry.api_key_id,
        "exchangeKeyName": key_name,
        "strategyName": "",
        "executionId": None,
        "exchangeTradeId": "",
        "exchangeOrderId": "",
    }


def _rows_of(
    execution: Execution, history: Sequence[PositionHistory], *, zone: ZoneInfo
) -> Iterator[tuple[datetime, TradeRow]]:
    last = execution.created_at
    # A fill may be stored twice for a moment, while it goes into a net.
    for entry in {(entry.kind, entry.exchange_id): entry for entry in history}.values():
        if not _belongs(entry, execution):
            continue
        last = max(last, entry.at)
        row = _row(execution, entry.at, zone=zone) | {
            "side": entry.side,
            "amount": entry.amount,
            "price": entry.price,
            "exchangeTradeId": entry.exchange_id,
            "exchangeOrderId": entry.exchange_order_id or "",
        }
        for one in _rows_of_entry(row, entry):
            yield entry.at, one
    if execution.profit is not None:
        # The profit is booked after fees and funding.
        gross = execution.profit + (execution.fee or _ZERO) - (execution.funding or _ZERO)
        row = _row(execution, last, zone=zone)
        yield last, row | {"kind": RowKind.REALIZED_PROFIT, "value": gross}


def _rows_of_entry(row: TradeRow, entry: PositionHistory) -> Iterator[TradeRow]:
    match entry.kind:
        case HistoryKind.FILL:
            yield row | {"value": entry.amount * entry.price}
            yield from _money(row, RowKind.FEE, -(entry.fee or _ZERO), entry.fee_asset or row["asset"])
        case HistoryKind.FUNDING:
            yield from _money(row, RowKind.FUNDING, entry.income or _ZERO, row["asset"])
        case HistoryKind.LIQUIDATION_FEE:
            yield from _money(row, RowKind.LIQUIDATION_FEE, entry.income or _ZERO, row["asset"])
        case HistoryKind.NET:
            pass  # its fills have rows
        case _:
            assert_never(entry.kind)


def _belongs(entry: PositionHistory, execution: Execution) -> bool:
    """Return whether an entry is this execution's: two of one account and symbol may have stored the same fill."""
    order = parse_client_order_id(entry.client_order_id or "", prefix=settings().broker_prefix)
    if order is not None:
        return order.execution_id == execution.id
    # By the owner, by the exchange, or of the account as a whole.
    until = execution.exited_at or execution.closed_at
    return execution.created_at <= entry.at and (until is None or entry.at <= until)


def _row(execution: Execution, at: datetime, *, zone: ZoneInfo) -> TradeRow:
    return {
        "time": _local(at, zone),
        "kind": RowKind.FILL,
        "symbol": execution.symbol,
        "side": None,
        "amount": None,
        "price": None,
        "value": _ZERO,
        "asset": _quote(execution.symbol),
        "exchangeKeyId": execution.api_key_id,
        "exchangeKeyName": execution.key_name,
        "strategyName": execution.strategy_name,
        "executionId": execution.id,
        "exchangeTradeId": "",
        "exchangeOrderId": "",
    }


def _money(row: TradeRow, kind: RowKind, value: Decimal, asset: str) -> Iterator[TradeRow]:
    """Yield the row of a sum of money, unless it is 0."""
    if value:
        yield row | {"kind": kind, "side": None, "amount": None, "price": None, "value": value, "asset": asset}


def _quote(symbol: str) -> str:
    return assets_of(symbol)[1]


def _local(at: datetime, zone: ZoneInfo) -> str:
    """Return the time as people in the zone read it, with its offset; UTC as everywhere."""
    return to_iso(at) if zone.key == "UTC" else at.astimezone(zone).isoformat(timespec="milliseconds")
