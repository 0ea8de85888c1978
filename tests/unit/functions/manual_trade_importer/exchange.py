"""A futures account at an exchange with the documented limits of its lists, and a clock that tests move."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.clock import from_iso, to_ms

WEEK_MS = 7 * 24 * 3600 * 1000
OPENED_AT = from_iso("2026-01-01T00:00:00Z")


@dataclass
class FuturesExchange:
    """The account's trades, and the lists that show them."""

    shows_newest: bool = True
    """Whether a span with more fills than fit shows its newest or its oldest ones: reports differ."""
    now: datetime = OPENED_AT
    trades: list[dict[str, Any]] = field(default_factory=list)
    incomes: list[dict[str, Any]] = field(default_factory=list)
    """Those that are part of no trade."""
    held: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    wallet: Decimal = Decimal(10_000)
    markets_by_id: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def trade(self, symbol: str, amount: Decimal, *, pnl: Decimal = Decimal(0), fee: Decimal = Decimal("0.1")) -> None:
        """Fill an order now; ids count up over all symbols, with gaps."""
        self.held[symbol] += amount
        self.wallet += pnl - fee
        self.trades.append(
            {
                "symbol": symbol,
                "id": 1000 + 3 * len(self.trades),
                "orderId": 500 + len(self.trades),
                "side": "BUY" if amount > 0 else "SELL",
                "price": "100",
                "qty": str(abs(amount)),
                "quoteQty": str(abs(amount) * 100),
                "realizedPnl": str(pnl),
                "commission": str(fee),
                "commissionAsset": "USDT",
                "time": to_ms(self.now),
            }
        )

    def pay(self, symbol: str, amount: Decimal, *, kind: str = "FUNDING_FEE", asset: str = "USDT") -> None:
        """Change the wallet now, beside the trades."""
        self.wallet += amount
        self.incomes.append(
            {
                "symbol": symbol,
                "incomeType": kind,
                "income": str(amount),
                "asset": asset,
                "time": to_ms(self.now),
                "tranId": 9_000_000 + len(self.incomes),
            }
        )

    def wait(self, delay: timedelta) -> None:
        """Let time pass."""
        self.now += delay

    async def fapiPrivateV3GetAccount(self, _params: dict[str, Any]) -> Any:  # noqa: N802 - ccxt's name
        self.asked.append("account")
        positions = [
            {"symbol": symbol, "positionAmt": str(amount), "updateTime": self._last(symbol)}
            for symbol, amount in self.held.items()
            if amount
        ]
        return {"assets": [{"asset": "USDT", "walletBalance": str(self.wallet)}], "positions": positions}

    async def fapiPrivateGetIncome(self, params: dict[str, Any]) -> Any:  # noqa: N802 - ccxt's name
        self.asked.append("income")
        fees = [
            {"symbol": one["symbol"], "incomeType": "COMMISSION", "time": one["time"]}
            for one in self.trades
            if Decimal(one["commission"])
        ]
        rows = [one for one in [*fees, *self.incomes] if params["startTime"] <= one["time"] <= params["endTime"]]
        start = (params["page"] - 1) * params["limit"]
        return rows[start : start + params["limit"]]

    async def fapiPrivateGetUserTrades(self, params: dict[str, Any]) -> Any:  # noqa: N802 - ccxt's name
        self.asked.append(params["symbol"])
        own = [one for one in self.trades if one["symbol"] == params["symbol"]]
        if "fromId" in params:
            assert "startTime" not in params, "the exchange takes one or the other"
            return [one for one in own if one["id"] >= params["fromId"]][: params["limit"]]
        assert params["endTime"] - params["startTime"] <= WEEK_MS, "the exchange refuses a longer span"
        own = [one for one in own if params["startTime"] <= one["time"] <= params["endTime"]]
        return own[-params["limit"] :] if self.shows_newest else own[: params["limit"]]

    def _last(self, symbol: str) -> int:
        return max(int(one["time"]) for one in self.trades if one["symbol"] == symbol)
