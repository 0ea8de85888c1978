"""Reads all fills of an account, symbol by symbol, and finds traded symbols and other incomes. Changes nothing.

Numbers are exact, from the texts of the raw responses. Knows nothing of earlier imports. By the exchange's
documentation, futures fills are listed by `fromId` or by a span of at most seven days, and reach back three months, as
incomes do (docs/exchange.md); spot fills are listed by `fromId` without limit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from shared.clock import from_ms, to_ms
from shared.exchange import transport
from shared.exchange.futures import READ_TIMEOUT_S
from shared.trading.sides import Side
from shared.trading.symbols import assets_of, symbol_name, unlisted_symbol_name

PAGE = 500
INCOME_DAYS = 89
"""How far back incomes show which symbols were traded."""

WEIGHTS = {
    "fapiPrivateV3GetAccount": 5,
    "fapiPrivateGetIncome": 30,
    "fapiPrivateGetUserTrades": 5,
    "privateGetAccount": 20,
    "privateGetMyTrades": 20,
}
"""The weight of each request, in its market's pool; a test compares it with the exchange's headers."""

_INCOME_PAGE = 1000
_STEP_BACK = 1000
"""A symbol's trade ids rise over all accounts; those of one order's fills lie close together."""

_SPAN_MS = 7 * 24 * 3600 * 1000 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFill:
    """One fill of the account; prices and amounts of money in the quote asset, the fee in `fee_currency`."""

    trade_id: int
    order_id: str
    venue_symbol: str
    symbol: str
    quote: str
    side: Side
    price: Decimal
    amount: Decimal
    cost: Decimal
    fee: Decimal
    fee_currency: str
    realized_pnl: Decimal | None
    """Before the fee; None on spot, where the exchange reports none."""
    at: datetime


class IncomeKind(StrEnum):
    """The incomes that are part of a trade's result and of no fill, by the exchange's names."""

    FUNDING = "FUNDING_FEE"
    SPECIAL_FUNDING = "SPECIAL_FUNDING_FEE"
    """For dividends of the stock that a contract is on."""
    LIQUIDATION_FEE = "INSURANCE_CLEAR"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountIncome:
    """One change of a futures wallet that no fill shows."""

    kind: IncomeKind
    transaction_id: str
    """Unique within its kind."""
    venue_symbol: str
    """Empty if it concerns the whole account."""
    amount: Decimal
    """In `asset`; negative when paid."""
    asset: str
    at: datetime


@dataclass(frozen=True, slots=True)
class WalletChanges:
    """What changed a futures wallet in a span."""

    symbols: set[str]
    """The symbols that were traded."""
    incomes: list[AccountIncome]


@dataclass(frozen=True, slots=True)
class AccountHoldings:
    """The assets and positions of an account, and a fingerprint that changes with every trade."""

    fingerprint: str
    amounts: dict[str, Decimal]
    """By asset, without zeros."""
    positions: frozenset[str]
    """Symbols with a position (futures)."""


class FuturesFills:
    """Fills on USD-M futures."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.weight = 0
        """Total weight of its requests so far."""

    async def holdings(self) -> AccountHoldings:
        """Return the assets and positions that the account holds."""
        account = await self._get("fapiPrivateV3GetAccount")
        amounts = _without_zeros({one["asset"]: Decimal(one["walletBalance"]) for one in account["assets"]})
        positions = {
            one["symbol"]: (one["positionAmt"], one["updateTime"])
            for one in account["positions"]
            if Decimal(one["positionAmt"])
        }
        return AccountHoldings(_fingerprint_of(amounts, sorted(positions.items())), amounts, frozenset(positions))

    async def wallet_changes(self, since: datetime, until: datetime) -> WalletChanges:
        """Return what changed the wallet between two times: traded symbols, funding, liquidation fees."""
        found = WalletChanges(set(), [])
        for start_ms, end_ms in _spans(to_ms(since), to_ms(until)):
            page = 1
            while True:
                params = {"startTime": start_ms, "endTime": end_ms, "page": page, "limit": _INCOME_PAGE}
                rows = await self._get("fapiPrivateGetIncome", **params)
                for row in rows:
                    _add_change(found, row)
                if len(rows) < _INCOME_PAGE:
                    break
                page += 1
        return found

    async def first_id(self, symbol: str, since: datetime, until: datetime) -> int | None:
        """Return the id of the first fill between two times, or None."""
        for start_ms, end_ms in _spans(to_ms(since), to_ms(until)):
            first = await self._first_id_within(symbol, start_ms, end_ms)
            if first is not None:
                return first
        return None

    async def _first_id_within(self, symbol: str, start_ms: int, end_ms: int) -> int | None:
        first = None
        # A full page may hold the newest fills of the span: the search goes on before them.
        while start_ms <= end_ms and (rows := await self._between(symbol, start_ms, end_ms)):
            first, at_ms = int(rows[0]["id"]), int(rows[0]["time"])
            if len(rows) < PAGE:
                break
            first = await self._first_id_at(symbol, first, at_ms)
            end_ms = at_ms - 1
        return first

    async def _first_id_at(self, symbol: str, first: int, at_ms: int) -> int:
        """Return the first id at a moment, which may have more fills than a page holds: those of one large order."""
        while True:
            params = {"symbol": symbol, "fromId": max(first - _STEP_BACK, 0), "limit": PAGE}
            rows = await self._get("fapiPrivateGetUserTrades", **params)
            earlier = [int(row["id"]) for row in rows if int(row["time"]) == at_ms and int(row["id"]) < first]
            if not earlier:
                return first
            first = min(earlier)

    async def fills(self, symbol: str, *, from_id: int, limit: int) -> list[AccountFill]:
        """Return the symbol's fills from an id on, oldest first, `limit` at most."""
        rows = await self._get("fapiPrivateGetUserTrades", symbol=symbol, fromId=from_id, limit=limit)
        name, quote = _name_and_quote(self._client, symbol)
        return [
            _fill(row, name=name, quote=quote, side=Side(row["side"]), realized_pnl=Decimal(row["realizedPnl"]))
            for row in _in_order(rows)
        ]

    async def _between(self, symbol: str, start_ms: int, end_ms: int) -> list[dict[str, Any]]:
        params = {"symbol": symbol, "startTime": start_ms, "endTime": end_ms, "limit": PAGE}
        return _in_order(await self._get("fapiPrivateGetUserTrades", **params))

    async def _get(self, method: str, **params: Any) -> Any:
        self.weight += WEIGHTS[method]
        return await transport.call(self._client, method, params, timeout_s=READ_TIMEOUT_S)


class SpotFills:
    """Fills on spot."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.weight = 0
        """Total weight of its requests so far."""

    async def holdings(self) -> AccountHoldings:
        """Return the assets that the account holds, free and locked."""
        account = await self._get("privateGetAccount")
        totals = {one["asset"]: Decimal(one["free"]) + Decimal(one["locked"]) for one in account["balances"]}
        amounts = _without_zeros(totals)
        return AccountHoldings(_fingerprint_of(amounts, account.get("updateTime")), amounts, frozenset())

    def pairs(self) -> dict[str, tuple[str, str]]:
        """Return every listed pair: the exchange's name, and the base and quote assets."""
        markets = (market for market in self._client.markets.values() if market["spot"])
        return {market["id"]: (market["base"], market["quote"]) for market in markets}

    async def fills(self, symbol: str, *, from_id: int, limit: int) -> list[AccountFill]:
        """Return the pair's fills from an id on, oldest first, `limit` at most."""
        rows = await self._get("privateGetMyTrades", symbol=symbol, fromId=from_id, limit=limit)
        name, quote = _name_and_quote(self._client, symbol)
        return [
            _fill(row, name=name, quote=quote, side=Side.BUY if row["isBuyer"] else Side.SELL, realized_pnl=None)
            for row in _in_order(rows)
        ]

    async def _get(self, method: str, **params: Any) -> Any:
        self.weight += WEIGHTS[method]
        return await transport.call(self._client, method, params, timeout_s=READ_TIMEOUT_S)


def _add_change(found: WalletChanges, row: dict[str, Any]) -> None:
    # Funding is paid on positions, not on trades.
    if row["symbol"] and row["incomeType"] not in {IncomeKind.FUNDING, IncomeKind.SPECIAL_FUNDING}:
        found.symbols.add(row["symbol"])
    if row["incomeType"] in set(IncomeKind):
        income = AccountIncome(
            kind=IncomeKind(row["incomeType"]),
            transaction_id=str(row["tranId"]),
            venue_symbol=str(row["symbol"]),
            amount=Decimal(row["income"]),
            asset=str(row["asset"]),
            at=from_ms(int(row["time"])),
        )
        found.incomes.append(income)


def _spans(start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """Yield the spans that one request may cover, oldest first, both ends included."""
    while start_ms <= end_ms:
        yield start_ms, min(start_ms + _SPAN_MS, end_ms)
        start_ms += _SPAN_MS + 1


def _without_zeros(amounts: dict[str, Decimal]) -> dict[str, Decimal]:
    return {asset: amount for asset, amount in amounts.items() if amount}


def _fingerprint_of(amounts: dict[str, Decimal], state: Any) -> str:
    text = json.dumps([sorted((asset, str(amount)) for asset, amount in amounts.items()), state])
    return hashlib.sha256(text.encode()).hexdigest()


def _name_and_quote(client: Any, venue_symbol: str) -> tuple[str, str]:
    """Return a symbol's documented name and its quote asset, also for one that is no longer listed."""
    for market in client.markets_by_id.get(venue_symbol, []):
        quote = str(market["quoteId"])
        name = symbol_name(venue_symbol, quote=quote)
        if name is not None:
            return name, quote
    name = unlisted_symbol_name(venue_symbol)
    return name, assets_of(name)[1]


def _in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: int(row["id"]))


def _fill(row: dict[str, Any], *, name: str, quote: str, side: Side, realized_pnl: Decimal | None) -> AccountFill:
    return AccountFill(
        trade_id=int(row["id"]),
        order_id=str(row["orderId"]),
        venue_symbol=str(row["symbol"]),
        symbol=name,
        quote=quote,
        side=side,
        price=Decimal(row["price"]),
        amount=Decimal(row["qty"]),
        cost=Decimal(row["quoteQty"]),
        fee=Decimal(row["commission"]),
        fee_currency=str(row["commissionAsset"]),
        realized_pnl=realized_pnl,
        at=from_ms(int(row["time"])),
    )
