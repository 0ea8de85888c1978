"""Parses the JSON of the exchange's responses into venue views. Exact: each number is text, and becomes a Decimal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shared.clock import from_ms
from shared.errors import NotFound, OutcomeUnknown
from shared.exchange.venue_views import AccountView, OrderView, PositionView, VenueStatus
from shared.models.exchange_key import SPOT_ACCOUNT
from shared.trading.brackets import LeverageBracket
from shared.trading.entry_price import MarketPrices
from shared.trading.filters import SymbolFilters
from shared.trading.funding import FundingPayment, Income
from shared.trading.position_accounting import Fill
from shared.trading.readiness import AccountSetup, KeyPermissions
from shared.trading.risk import is_plausible_rate
from shared.trading.sides import Side
from shared.trading.sizing import MarginMode
from shared.trading.touch import Candle

_STATUS = {
    "NEW": VenueStatus.OPEN,
    "PARTIALLY_FILLED": VenueStatus.PARTIALLY_FILLED,
    "FILLED": VenueStatus.FILLED,
    "CANCELED": VenueStatus.CANCELLED,
    "EXPIRED": VenueStatus.EXPIRED,
    "EXPIRED_IN_MATCH": VenueStatus.EXPIRED,
    "REJECTED": VenueStatus.REJECTED,
}
_ALGO_STATUS = {
    "NEW": VenueStatus.OPEN,
    "TRIGGERING": VenueStatus.TRIGGERED,
    "TRIGGERED": VenueStatus.TRIGGERED,
    "FINISHED": VenueStatus.TRIGGERED,
    "CANCELED": VenueStatus.CANCELLED,
    "EXPIRED": VenueStatus.EXPIRED,
    "REJECTED": VenueStatus.REJECTED,
}


@dataclass(frozen=True, slots=True)
class AssetBalance:
    """One margin asset's balances."""

    wallet_balance: Decimal
    margin_balance: Decimal
    available: Decimal


def order_view(order: dict[str, Any]) -> OrderView:
    """Return the view of a regular order (New Order, Query Order, Open Orders)."""
    average = _decimal(order.get("avgPrice"))
    return OrderView(
        client_order_id=str(order["clientOrderId"]),
        exchange_order_id=str(order["orderId"]),
        conditional=False,
        status=_STATUS.get(order["status"], VenueStatus.UNKNOWN),
        type=str(order.get("origType") or order["type"]),
        side=Side(order["side"]),
        amount=_decimal(order.get("origQty")),
        filled=_decimal(order.get("executedQty")),
        average=average or None,
        price=_decimal(order.get("price")) or None,
        trigger_price=None,
        reduce_only=_true(order.get("reduceOnly")),
        close_position=_true(order.get("closePosition")),
        actual_order_id=None,
        updated_at=from_ms(int(order["updateTime"])),
    )


def algo_view(order: dict[str, Any]) -> OrderView:
    """Return the view of a conditional order (New Algo Order, Query Algo Order, Open Algo Orders)."""
    actual = str(order.get("actualOrderId") or "")
    average = _decimal(order.get("actualPrice") or order.get("avgPrice"))
    return OrderView(
        client_order_id=str(order["clientAlgoId"]),
        exchange_order_id=str(order["algoId"]),
        conditional=True,
        status=_ALGO_STATUS.get(order["algoStatus"], VenueStatus.UNKNOWN),
        type=str(order["orderType"]),
        side=Side(order["side"]),
        amount=_decimal(order.get("quantity")),
        filled=_decimal(order.get("actualQty") or order.get("executedQty")),
        average=average or None,
        price=_decimal(order.get("price")) or None,
        trigger_price=_decimal(order.get("triggerPrice")) or None,
        reduce_only=_true(order.get("reduceOnly")),
        close_position=_true(order.get("closePosition")),
        actual_order_id=actual if actual not in {"", "0"} else None,
        updated_at=from_ms(int(order["updateTime"])),
    )


def fill(trade: dict[str, Any]) -> Fill:
    """Return one entry of the Account Trade List, which has no client order id."""
    return Fill(
        order_id=str(trade["orderId"]),
        client_order_id="",
        side=Side(trade["side"]),
        price=_decimal(trade["price"]),
        amount=_decimal(trade["qty"]),
        fee=_decimal(trade["commission"]),
        fee_asset=str(trade["commissionAsset"]),
        realized_pnl=_decimal(trade["realizedPnl"]),
        at=from_ms(int(trade["time"])),
    )


def funding_payment(row: dict[str, Any]) -> FundingPayment:
    """Return one funding payment of Get Income History."""
    return FundingPayment(amount=_decimal(row["income"]), at=from_ms(int(row["time"])))


def income(row: dict[str, Any]) -> Income:
    """Return one entry of Get Income History."""
    return Income(amount=_decimal(row["income"]), at=from_ms(int(row["time"])))


def asset_of(account: dict[str, Any], asset: str) -> AssetBalance:
    """Return one asset of Account Information, V2 or V3, with zeros if it is not listed."""
    for item in account["assets"]:
        if item["asset"] == asset:
            return AssetBalance(
                wallet_balance=_decimal(item["walletBalance"]),
                margin_balance=_decimal(item["marginBalance"]),
                available=_decimal(item["availableBalance"]),
            )
    return AssetBalance(wallet_balance=Decimal(0), margin_balance=Decimal(0), available=Decimal(0))


def account_setup(*, account: dict[str, Any], hedge_mode: bool, permissions: KeyPermissions) -> AccountSetup:
    """Return the setup from Account Information V2 or Futures Account Configuration; a missing flag is off."""
    return AccountSetup(
        can_trade=_true(account.get("canTrade")),
        futures_enabled=permissions.futures_enabled,
        # The account's own `canWithdraw` is true for every ordinary account; the key's permission decides.
        withdrawals_enabled=permissions.withdrawals_enabled,
        portfolio_margin=permissions.portfolio_margin,
        hedge_mode=hedge_mode,
        multi_assets_margin=_true(account.get("multiAssetsMargin")),
        ip_restricted=permissions.ip_restricted,
    )


def key_permissions(answer: dict[str, Any]) -> KeyPermissions:
    """Return the permissions in Get API Key Permission; a missing flag is off."""
    return KeyPermissions(
        futures_enabled=_true(answer.get("enableFutures")),
        withdrawals_enabled=_true(answer.get("enableWithdrawals")),
        portfolio_margin=_true(answer.get("enablePortfolioMarginTrading")),
        ip_restricted=_true(answer.get("ipRestrict")),
    )


def is_hedge_mode(config: dict[str, Any]) -> bool:
    """Return whether Futures Account Configuration says that the account is in hedge mode."""
    return _true(config.get("dualSidePosition"))


def account_view(
    *,
    account: dict[str, Any],
    orders: Sequence[OrderView],
    brackets: Sequence[LeverageBracket],
    prices: MarketPrices,
    permissions: KeyPermissions,
    permissions_fresh: bool,
    symbol: str,
    margin_asset: str,
) -> AccountView:
    """Return the view of one account and symbol from the responses of `FuturesAccount.read`.

    Account Information V2 lists every symbol of the market, and shows hedge mode only by its rows for `LONG` and
    `SHORT`. Raises NotFound when it does not list the symbol.
    """
    balance = asset_of(account, margin_asset)
    rows = [row for row in account["positions"] if row["symbol"] == symbol]
    if not rows:
        raise NotFound(f"{symbol} among the account's positions")
    return AccountView(
        wallet_balance=balance.wallet_balance,
        margin_balance=balance.margin_balance,
        available_margin=balance.available,
        position_amount=sum((_decimal(row["positionAmt"]) for row in rows), Decimal(0)),
        open_orders=tuple(orders),
        leverage=_decimal(rows[0]["leverage"]),
        margin_mode=MarginMode.ISOLATED if _true(rows[0]["isolated"]) else MarginMode.CROSS,
        brackets=tuple(brackets),
        prices=prices,
        setup=account_setup(
            account=account,
            hedge_mode=any(row["positionSide"] != "BOTH" for row in rows),
            permissions=permissions,
        ),
        permissions_fresh=permissions_fresh,
    )


def symbol_filters(market: dict[str, Any], *, symbol: str) -> SymbolFilters:
    """Return the filters of one symbol of Exchange Information."""
    filters = {item["filterType"]: item for item in market["filters"]}
    price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    market_lot = filters.get("MARKET_LOT_SIZE", lot)
    return SymbolFilters(
        symbol=symbol,
        tick_size=_decimal(price["tickSize"]),
        step_size=_decimal(lot["stepSize"]),
        min_amount=_decimal(lot["minQty"]),
        max_amount=_decimal(lot["maxQty"]),
        market_step_size=_decimal(market_lot["stepSize"]),
        market_min_amount=_decimal(market_lot["minQty"]),
        market_max_amount=_decimal(market_lot["maxQty"]),
        min_notional=_decimal(filters.get("MIN_NOTIONAL", {}).get("notional")),
        price_min=_decimal(price.get("minPrice")),
        price_max=_decimal(price.get("maxPrice")),
    )


def market_prices(*, ticker: Any, book: Any) -> MarketPrices:
    """Return the prices of Symbol Price Ticker and Symbol Order Book Ticker; an empty side of the book has 0.

    Raise OutcomeUnknown for answers that name none.
    """
    try:
        last, bid, ask = (_decimal(price) for price in (ticker["price"], book["bidPrice"], book["askPrice"]))
    except (ArithmeticError, LookupError, TypeError) as error:
        raise OutcomeUnknown("the answer names no prices") from error
    if not (last > 0 and bid >= 0 and ask >= 0):
        raise OutcomeUnknown(f"prices of {last}, {bid} and {ask} are not plausible")
    return MarketPrices(last=last, bid=bid, ask=ask)


def taker_rate(answer: Any) -> Decimal:
    """Return the taker rate of User Commission Rate; raise OutcomeUnknown for an answer that has none in reason."""
    try:
        rate = Decimal(str(answer["takerCommissionRate"]))
    except (ArithmeticError, LookupError, TypeError) as error:
        raise OutcomeUnknown("the answer names no taker rate") from error
    if not is_plausible_rate(rate):
        raise OutcomeUnknown(f"a taker rate of {rate} is not plausible")
    return rate


def account_alias(answer: Any) -> str:
    """Return the account's name in Futures Account Balance; raise OutcomeUnknown for an answer that has none."""
    try:
        [alias] = {str(row["accountAlias"]) for row in answer}
    except (LookupError, TypeError, ValueError) as error:
        raise OutcomeUnknown("the answer does not name the account") from error
    if not alias:
        raise OutcomeUnknown("the account's name is empty")
    return alias


def spot_account(answer: Any) -> str | None:
    """Return the account's name in spot Account Information, or None for an answer that does not name it."""
    uid = answer.get("uid") if isinstance(answer, dict) else None
    return f"{SPOT_ACCOUNT}{uid}" if uid else None


def brackets_of(answer: list[dict[str, Any]], *, symbol: str) -> tuple[LeverageBracket, ...]:
    """Return a symbol's Notional and Leverage Brackets."""
    own = next(item for item in answer if item["symbol"] == symbol)
    return tuple(
        LeverageBracket(
            notional_cap=_decimal(bracket["notionalCap"]),
            max_leverage=_decimal(bracket["initialLeverage"]),
            maintenance_margin_rate=_decimal(bracket["maintMarginRatio"]),
        )
        for bracket in own["brackets"]
    )


def _decimal(value: Any) -> Decimal:
    return Decimal(0) if value in {None, ""} else Decimal(str(value))


def _true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def position_view(rows: list[dict[str, Any]]) -> PositionView:
    """Return the position by the exchange's rows of one symbol (Position Information V3); a flat one has none."""
    amount = sum((_decimal(row["positionAmt"]) for row in rows), Decimal(0))
    prices = [price for row in rows if (price := _decimal(row.get("liquidationPrice") or 0)) > 0]
    return PositionView(amount=amount, liquidation_price=prices[0] if amount and len(prices) == 1 else None)


def candles(rows: list[list[Any]]) -> list[Candle]:
    """Return the exchange's candles (Kline/Candlestick Data, and of the mark price), the oldest first."""
    return [
        Candle(from_ms(int(row[0])), from_ms(int(row[6]) + 1), high=_decimal(row[2]), low=_decimal(row[3]))
        for row in rows
    ]
