"""A user's history of trades by strategies, and of trades by hand. Reads pages of records. Knows no HTTP.

Admins see spans of days. A user's own histories also come by calendar year: then oldest first, and a page holds those
of the next `PAGE_ITEMS` records that concern the year, since a position may have been opened long before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypedDict, TypeVar

from shared.api.answers import Id, Time
from shared.api.csv_text import CsvFile, write_csv
from shared.api.days import PAGE_ITEMS, DaysListing, DaysQuery
from shared.api.paging import Page, load_by_id, query_page
from shared.clock import to_iso
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.manual_income import ManualIncome
from shared.models.manual_trade import ManualTrade
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side, StopType, TriggerAction
from shared.views.trade_query import TradeHistoryQuery
from shared.views.trade_rows import TradeRow, rows_of_executions, rows_of_manual_entries

R = TypeVar("R", Execution, ManualTrade)


class HistoryStrategy(TypedDict):
    """List Strategy Automated History: what was followed, as it was called then."""

    id: Id
    name: str
    symbol: str


class HistoryKey(TypedDict):
    """Both histories: the key that was traded with."""

    id: Id
    name: str


class StrategyHistoryItem(TypedDict):
    """List Strategy Automated History: what became of one trigger on one follower; an exit has no side, no prices."""

    id: Id
    active: bool
    status: ExecutionState
    reason: str | None
    StrategyAutomated: HistoryStrategy
    ExchangeKey: HistoryKey
    action: TriggerAction
    tradeSide: Side | None
    amount: Decimal | None
    entryPrice: Decimal | None
    exitPrice: Decimal | None
    stop: Decimal | None
    stopType: StopType | None
    takeProfit: list[Decimal]
    fee: Decimal | None
    funding: Decimal | None
    profit: Decimal | None
    profitPercentage: Decimal | None
    createdAt: Time
    updatedAt: Time
    closedAt: Time | None


class ManualHistoryItem(TypedDict):
    """List Manual Trading History: one fill."""

    id: Id
    ExchangeKey: HistoryKey
    symbol: str
    side: Side
    amount: Decimal
    price: Decimal
    cost: Decimal
    fee: Decimal
    feeCurrency: str
    realizedPnl: Decimal | None
    createdAt: Time


def list_strategy_history(user_id: str, query: DaysQuery) -> DaysListing[StrategyHistoryItem]:
    """Return a page of the user's executions, newest first."""
    # Keys are `<time>#<id>` and sort after the bare time, so those of the end itself are left out.
    since, until = map(to_iso, query.span)
    page = query_page(
        Execution.by_user.query,
        user_id,
        Execution.created_key.between(since, until),
        load=load_by_id(Execution),
        limit=PAGE_ITEMS,
        after=query.after,
        newest_first=True,
    )
    return query.listing(map(_strategy_item, page.records), page)


def list_manual_history(user_id: str, query: DaysQuery) -> DaysListing[ManualHistoryItem]:
    """Return a page of the fills of the user's MANUAL keys, newest first."""
    since, until = map(to_iso, query.span)
    page = query_page(
        ManualTrade.by_user.query,
        user_id,
        ManualTrade.trade_key.between(since, until),
        load=_trades,
        limit=PAGE_ITEMS,
        after=query.after,
        newest_first=True,
    )
    keys = ExchangeKey.find_many(trade.api_key_id for trade in page.records)
    items = (_manual_item(trade, keys.get(trade.api_key_id)) for trade in page.records)
    return query.listing(items, page)


@dataclass(frozen=True, slots=True)
class OwnHistory(Generic[R]):
    """A page of a user's own records of one kind, which concern the query's period."""

    records: list[R]
    page: Page[R]


def own_executions(user_id: str, query: TradeHistoryQuery) -> OwnHistory[Execution]:
    """Return a page of the user's executions: of the span, newest first, or of the year, oldest first."""
    since, until = query.period
    within = Execution.created_key.between(to_iso(since), to_iso(until))
    page = query_page(
        Execution.by_user.query,
        user_id,
        within if query.year is None else Execution.created_key < to_iso(until),
        load=load_by_id(Execution),
        limit=PAGE_ITEMS,
        after=query.after,
        newest_first=query.year is None,
    )
    ends = [(one, one.closed_at or one.updated_at) for one in page.records]
    return OwnHistory([one for one, end in ends if one.active or query.year is None or end >= since], page)


def own_manual_trades(user_id: str, query: TradeHistoryQuery) -> OwnHistory[ManualTrade]:
    """Return a page of the fills of the user's MANUAL keys: of the span, newest first, or of the year, oldest first."""
    page = query_page(
        ManualTrade.by_user.query,
        user_id,
        ManualTrade.trade_key.between(*_bounds(query)),
        load=_trades,
        limit=PAGE_ITEMS,
        newest_first=query.year is None,
    )
    return OwnHistory(page.records, page)


def own_manual_entries(user_id: str, query: TradeHistoryQuery) -> Page[ManualTrade | ManualIncome]:
    """Return a page of the fills and of the incomes between them, in one order of time."""
    incomes = query_page(
        ManualIncome.by_user.query,
        user_id,
        ManualIncome.time_key.between(*_bounds(query)),
        load=_incomes,
        limit=PAGE_ITEMS,
        newest_first=query.year is None,
    )
    trades = own_manual_trades(user_id, query).page
    entries: list[ManualTrade | ManualIncome] = [*trades.records, *incomes.records]
    entries.sort(key=_place_of, reverse=query.year is None)
    if len(entries) <= PAGE_ITEMS and trades.end is None and incomes.end is None:
        return Page(entries, None)
    shown = entries[:PAGE_ITEMS]
    return Page(shown, {"trade_key": {"S": _place_of(shown[-1])}})


def _bounds(query: TradeHistoryQuery) -> tuple[str, str]:
    """Return the first and the last key of what is left of the period, for fills and incomes alike.

    A page goes on by the key of the last entry, since that may be of either table. Keys begin with the time.
    """
    since, until = map(to_iso, query.period)
    if query.after is None:
        return since, until
    last = query.after["trade_key"]["S"]
    if query.year is not None:
        return f"{last} ", until
    return since, f"{last[:-1]}{chr(ord(last[-1]) - 1)}~"


def _place_of(entry: ManualTrade | ManualIncome) -> str:
    return entry.trade_key if isinstance(entry, ManualTrade) else str(entry.time_key)


def list_own_strategy_history(user_id: str, query: TradeHistoryQuery) -> DaysListing[StrategyHistoryItem]:
    """Return a page of the user's executions in the shape that admins see."""
    found = own_executions(user_id, query)
    return query.listing(map(_strategy_item, found.records), found.page)


def list_own_manual_history(user_id: str, query: TradeHistoryQuery) -> DaysListing[ManualHistoryItem]:
    """Return a page of the user's own fills in the shape that admins see."""
    found = own_manual_trades(user_id, query)
    keys = ExchangeKey.find_many(trade.api_key_id for trade in found.records)
    return query.listing((_manual_item(trade, keys.get(trade.api_key_id)) for trade in found.records), found.page)


def strategy_file(user_id: str, query: TradeHistoryQuery) -> CsvFile:
    """Return the same page as rows for a tax adviser."""
    found = own_executions(user_id, query)
    rows = rows_of_executions(found.records, zone=query.time_zone)
    if query.year is not None:
        since, until = query.period
        rows = [(at, row) for at, row in rows if since <= at < until]
    return _file("strategy", rows, query, found.page)


def manual_file(user_id: str, query: TradeHistoryQuery) -> CsvFile:
    """Return a page of fills, funding and liquidation fees as rows for a tax adviser."""
    page = own_manual_entries(user_id, query)
    keys = ExchangeKey.find_many({entry.api_key_id for entry in page.records})
    names = {key.id: key.name for key in keys.values()}
    rows = rows_of_manual_entries(page.records, key_names=names, zone=query.time_zone)
    return _file("manual", rows, query, page)


def _file(name: str, rows: list[tuple[datetime, TradeRow]], query: TradeHistoryQuery, page: Page[Any]) -> CsvFile:
    period = query.year or query.period[0].date().isoformat()
    return CsvFile(
        name=f"trades-{name}-{period}.csv",
        text=write_csv(TradeRow, (row for _, row in rows)),
        next_token=query.listing((), page)["nextToken"],
    )


def _trades(found: list[ManualTrade]) -> list[ManualTrade | None]:
    keys = [(one.api_key_id, one.trade_key) for one in found]
    records = ManualTrade.find_many(keys)
    return [records.get(key) for key in keys]


def _incomes(found: list[ManualIncome]) -> list[ManualIncome | None]:
    keys = [(one.api_key_id, one.income_key) for one in found]
    records = ManualIncome.find_many(keys)
    return [records.get(key) for key in keys]


def _strategy_item(execution: Execution) -> StrategyHistoryItem:
    return {
        "id": execution.id,
        "active": execution.active,
        "status": execution.state,
        "reason": execution.reason,
        "StrategyAutomated": {
            "id": execution.strategy_id,
            "name": execution.strategy_name,
            "symbol": execution.symbol,
        },
        "ExchangeKey": {"id": execution.api_key_id, "name": execution.key_name},
        "action": execution.action,
        "tradeSide": execution.side,
        # The filled amount once it is known, the planned one before.
        "amount": execution.amount if execution.filled_amount is None else execution.filled_amount,
        "entryPrice": execution.entry_price,
        "exitPrice": execution.exit_price,
        "stop": execution.stop,
        "stopType": execution.stop_type,
        "takeProfit": list(execution.take_profits),
        "fee": execution.fee,
        "funding": execution.funding,
        "profit": execution.profit,
        "profitPercentage": execution.profit_pct,
        "createdAt": to_iso(execution.created_at),
        "updatedAt": to_iso(execution.updated_at),
        "closedAt": None if execution.closed_at is None else to_iso(execution.closed_at),
    }


def _manual_item(trade: ManualTrade, key: ExchangeKey | None) -> ManualHistoryItem:
    return {
        "id": trade.id,
        "ExchangeKey": {"id": trade.api_key_id, "name": "" if key is None else key.name},
        "symbol": trade.symbol,
        "side": trade.side,
        "amount": trade.amount,
        "price": trade.price,
        "cost": trade.cost,
        "fee": trade.fee,
        "feeCurrency": trade.fee_currency,
        "realizedPnl": trade.realized_pnl,
        "createdAt": to_iso(trade.created_at),
    }
