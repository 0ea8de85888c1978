"""A user's history of trades by strategies, and of trades by hand. Reads pages of records. Knows no HTTP."""

from __future__ import annotations

from decimal import Decimal
from typing import TypedDict

from shared.api.answers import Id, Time
from shared.api.days import PAGE_ITEMS, DaysListing, DaysQuery
from shared.api.paging import load_by_id, query_page
from shared.clock import to_iso
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.manual_trade import ManualTrade
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side, StopType


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
    """List Strategy Automated History: what became of one trigger on one follower."""

    id: Id
    active: bool
    status: ExecutionState
    reason: str | None
    StrategyAutomated: HistoryStrategy
    ExchangeKey: HistoryKey
    tradeSide: Side
    amount: Decimal | None
    entryPrice: Decimal | None
    exitPrice: Decimal | None
    stop: Decimal
    stopType: StopType
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


def _trades(found: list[ManualTrade]) -> list[ManualTrade | None]:
    keys = [(one.api_key_id, one.trade_key) for one in found]
    records = ManualTrade.find_many(keys)
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
