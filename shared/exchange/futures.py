"""One account on USD-M futures, as the order executor trades it. Sends and reads; decides nothing.

Requests use ccxt's raw methods, whose numbers are texts, so that no price or amount passes through a float.
Every method raises our ExchangeError classes only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.clock import to_ms
from shared.errors import (
    ExchangeAuthorizationFailed,
    ExchangeError,
    ExchangeRejected,
    OrderUnknown,
)
from shared.exchange import error_codes, history, markets, responses, transport
from shared.exchange.lanes import DEFAULT_LANE
from shared.exchange.markets import is_trading, leverage_brackets, symbol_filters
from shared.exchange.server_clock import server_clock
from shared.exchange.venue_views import AccountView, KeyView, OrderView, PositionView
from shared.observability import logger
from shared.trading.entry_price import MarketPrices
from shared.trading.filters import SymbolFilters
from shared.trading.funding import FundingPayment, Income
from shared.trading.ids import ENTRY_LEGS, Leg
from shared.trading.order_planning import OrderType, PlannedOrder
from shared.trading.position_accounting import Fill
from shared.trading.readiness import KeyPermissions
from shared.trading.symbols import venue_symbol

READ_TIMEOUT_S = history.READ_TIMEOUT_S
ORDER_TIMEOUT_S = 1.5
"""Of a request that places an order; then its outcome is looked up, well within the bound for a naked position."""

LOOK_UP_TIMEOUT_S = 1.0

PERMISSIONS_TIMEOUT_S = 1.0
"""Of the read of a key's permissions where some are known: an entry does not wait longer for a host that is slow."""

_CONDITIONAL = {OrderType.STOP_MARKET, OrderType.STOP, OrderType.TRAILING_STOP_MARKET}
MARGIN_ASSET = "USDT"


def is_conditional(order_type: OrderType) -> bool:
    """Return whether orders of this type are algo orders at the exchange (elsewhere they are refused with -4120)."""
    return order_type in _CONDITIONAL


@dataclass(frozen=True, slots=True)
class Stamp:
    """A write's timestamp by the exchange's clock, and how long after it the exchange still executes it."""

    timestamp_ms: int
    recv_window_ms: int

    @property
    def expires_ms(self) -> int:
        """The time from which the exchange refuses the write."""
        return self.timestamp_ms + self.recv_window_ms

    @property
    def parameters(self) -> dict[str, int]:
        """The stamp as request parameters."""
        return {"timestamp": self.timestamp_ms, "recvWindow": self.recv_window_ms}


def now_ms() -> int:
    """Return the exchange's time by the last measurement, in Unix milliseconds."""
    return server_clock.now_ms()


class FuturesAccount:
    """One API key's account. Holds no state but its connection; one event loop at a time."""

    def __init__(self, client: Any, *, margin_asset: str = MARGIN_ASSET) -> None:
        self._client = client
        self._margin_asset = margin_asset

    @classmethod
    async def open(
        cls, *, api_key: str, secret: str, margin_asset: str = MARGIN_ASSET, lane: str = DEFAULT_LANE
    ) -> FuturesAccount:
        """Return the account of a key; this sends no request."""
        client = await transport.open_client(
            transport.FuturesClient, api_key=api_key, secret=secret, timeout_ms=int(READ_TIMEOUT_S * 1000), lane=lane
        )
        return cls(client, margin_asset=margin_asset)

    @property
    def lane(self) -> str:
        """The egress lane of its requests."""
        return str(self._client.lane)

    @property
    def margin_asset(self) -> str:
        """The asset that its positions are paid in."""
        return self._margin_asset

    def take_refusal(self) -> ExchangeAuthorizationFailed | None:
        """Return the last refusal of the key and clear it, even if the request's caller handled it."""
        refusal: ExchangeAuthorizationFailed | None = self._client.refusal
        self._client.refusal = None
        return refusal

    # -- reading ---------------------------------------------------------------------------------------------------

    async def read(self, symbol: str, *, known_permissions: KeyPermissions | None = None) -> AccountView:
        """Read everything that an entry depends on, with concurrent requests.

        The key's permissions are of another host than the rest: while that one does not answer, those known serve.
        """
        name = venue_symbol(symbol)
        account, orders, brackets, prices, permissions = await asyncio.gather(
            self._get("fapiPrivateV2GetAccount"),
            self.open_orders(symbol),
            leverage_brackets(self._client, symbol),
            markets.market_prices(self._client, symbol),
            self._permissions(known_permissions),
        )
        return responses.account_view(
            account=account,
            orders=orders,
            brackets=brackets,
            prices=prices,
            permissions=permissions,
            permissions_fresh=permissions is not known_permissions,
            symbol=name,
            margin_asset=self._margin_asset,
        )

    async def _permissions(self, known: KeyPermissions | None = None) -> KeyPermissions:
        """Return the key's permissions as they are now; those `known`, if any, where no answer says so."""
        timeout_s = READ_TIMEOUT_S if known is None else PERMISSIONS_TIMEOUT_S
        try:
            answer = await transport.call(self._client, "sapiGetAccountApiRestrictions", {}, timeout_s=timeout_s)
        except ExchangeAuthorizationFailed:
            raise
        except ExchangeError as error:
            if known is None:
                raise
            logger.warning("permissions_not_read", error=type(error).__name__)
            return known
        return responses.key_permissions(answer)

    async def inspect(self, *, margin_assets: Collection[str]) -> KeyView:
        """Read a key's permissions and its account's setup (weight 11 on futures, 1 on `sapi`).

        A key without futures may read nothing but its permissions, so these are read first.
        """
        permissions, offset_ms = await asyncio.gather(self._permissions(), self._measure_clock_offset_ms())
        account: dict[str, Any]
        config: dict[str, Any] = {}
        wallet_balance = None
        if permissions.futures_enabled:
            account, config = await asyncio.gather(
                self._get("fapiPrivateV3GetAccount"), self._get("fapiPrivateGetAccountConfig")
            )
            wallet_balance = max(responses.asset_of(account, asset).wallet_balance for asset in margin_assets)
        return KeyView(
            setup=responses.account_setup(
                account=config, hedge_mode=responses.is_hedge_mode(config), permissions=permissions
            ),
            wallet_balance=wallet_balance,
            clock_offset_ms=offset_ms,
        )

    async def alias(self) -> str:
        """Return the exchange's name of the account, the same through each of its keys (weight 5)."""
        return responses.account_alias(await self._get("fapiPrivateV3GetBalance"))

    async def taker_rate(self, symbol: str) -> Decimal:
        """Return the account's own taker rate on the symbol, as a share of the notional (weight 20).

        A discount for fees paid in BNB is not in it.
        """
        answer = await self._get("fapiPrivateGetCommissionRate", symbol=venue_symbol(symbol))
        return responses.taker_rate(answer)

    async def filters(self, symbol: str) -> SymbolFilters:
        """Return the symbol's filters, read within the hour; raise NotFound when it is not listed."""
        return await symbol_filters(self._client, symbol)

    async def filters_for_exit(self, symbol: str) -> SymbolFilters | None:
        """Return the symbol's filters as they were read last; None if there are none, and they cannot be read now."""
        return await markets.filters_for_exit(self._client, symbol)

    async def renewed_filters(
        self, symbol: str, *, refused: SymbolFilters, sent_at_s: float, timeout_s: float
    ) -> SymbolFilters:
        """Return filters read after a request, sent at a monotonic time with those `refused`, was refused for them."""
        return await markets.renewed_filters(
            self._client, symbol, refused=refused, sent_at_s=sent_at_s, timeout_s=timeout_s
        )

    def forget_brackets(self, symbol: str) -> None:
        """Read the symbol's leverage brackets again with the next `read`: the exchange's answer contradicts them."""
        markets.forget_brackets(symbol)

    async def is_trading(self, symbol: str) -> bool:
        """Return whether the symbol accepts new orders."""
        return await is_trading(self._client, symbol)

    async def prices(self, symbol: str, *, asked_since_s: float) -> MarketPrices:
        """Return the contract's prices as they were asked for at a monotonic time or later."""
        return await markets.market_prices(self._client, symbol, asked_since_s=asked_since_s)

    async def market_price(self, symbol: str) -> Decimal:
        """Return the last traded price of the contract: stops trigger on it."""
        answer = await self._get("fapiPublicGetTickerPrice", symbol=venue_symbol(symbol))
        return Decimal(str(answer["price"]))

    async def recent_price(self, symbol: str) -> Decimal:
        """Return the last traded price, asked for at most a second ago: accounts of a container share the answer."""
        return (await markets.market_prices(self._client, symbol)).last

    async def position(self, symbol: str) -> PositionView:
        """Return what is held on the symbol."""
        rows = await self._get("fapiPrivateV3GetPositionRisk", symbol=venue_symbol(symbol))
        return responses.position_view(rows)

    async def position_amount(self, symbol: str) -> Decimal:
        """Return the signed base amount held on the symbol."""
        return (await self.position(symbol)).amount

    async def wallet_balance(self) -> Decimal:
        """Return the wallet balance of the margin asset."""
        account = await self._get("fapiPrivateV3GetAccount")
        return responses.asset_of(account, self._margin_asset).wallet_balance

    async def open_orders(self, symbol: str) -> tuple[OrderView, ...]:
        """Return every standing order on the symbol, regular and conditional (the exchange lists them separately)."""
        name = venue_symbol(symbol)
        regular, conditional = await asyncio.gather(
            self._get("fapiPrivateGetOpenOrders", symbol=name), self._get("fapiPrivateGetOpenAlgoOrders", symbol=name)
        )
        return (*(responses.order_view(o) for o in regular), *(responses.algo_view(o) for o in conditional))

    async def find_order(
        self, symbol: str, client_order_id: str, *, conditional: bool, timeout_s: float = LOOK_UP_TIMEOUT_S
    ) -> OrderView | None:
        """Return the order with this client id, or None if the exchange does not know it yet: once proves nothing."""
        name, params = "fapiPrivateGetAlgoOrder", {"clientAlgoId": client_order_id}
        if not conditional:
            name = "fapiPrivateGetOrder"
            params = {"symbol": venue_symbol(symbol), "origClientOrderId": client_order_id}
        try:
            answer = await transport.call(self._client, name, params, timeout_s=timeout_s)
        except OrderUnknown:
            return None
        return responses.algo_view(answer) if conditional else responses.order_view(answer)

    async def find_by_exchange_id(self, symbol: str, exchange_order_id: str) -> OrderView | None:
        """Return a regular order by the exchange's own id, or None if the exchange does not know it yet."""
        try:
            answer = await self._get("fapiPrivateGetOrder", symbol=venue_symbol(symbol), orderId=exchange_order_id)
        except OrderUnknown:
            return None
        return responses.order_view(answer)

    async def fills(self, symbol: str, *, since: datetime) -> dict[int, Fill]:
        """Return every fill on the symbol since a time, by the exchange's number and in its order.

        A fill names its order by the exchange's id only, and a triggered conditional order fills under the id of the
        regular order that it became.
        """
        rows = await history.trades(self._client, symbol, to_ms(since), now_ms())
        return {int(row["id"]): responses.fill(row) for row in rows}

    async def orders_since(self, symbol: str, since: datetime) -> list[OrderView]:
        """Return every regular order on the symbol since a time."""
        rows = await history.orders(self._client, symbol, to_ms(since), now_ms())
        return [responses.order_view(row) for row in rows]

    async def funding(self, symbol: str, since: datetime, until: datetime) -> dict[str, FundingPayment]:
        """Return the account's funding payments on the symbol, by the exchange's ids (weight 30 for thirty days).

        Contracts on stocks have special ones too (30 more): their ids have a prefix, because an id is unique within a
        type of income only.
        """
        kinds = [(history.FUNDING, "")]
        if markets.pays_dividends(symbol) is not False:
            kinds.append((history.SPECIAL_FUNDING, "special-"))
        found = await asyncio.gather(*(self._incomes(kind, symbol, since, until) for kind, _ in kinds))
        return {
            f"{prefix}{number}": responses.funding_payment(row)
            for (_, prefix), rows in zip(kinds, found, strict=True)
            for number, row in rows.items()
        }

    async def liquidation_fees(self, symbol: str, since: datetime, until: datetime) -> dict[str, Income]:
        """Return what liquidations on the symbol cost beside their fills, by the exchange's ids (weight 30)."""
        rows = await self._incomes(history.LIQUIDATION_FEE, symbol, since, until)
        return {number: responses.income(row) for number, row in rows.items()}

    async def _incomes(self, kind: str, symbol: str, since: datetime, until: datetime) -> dict[str, dict[str, Any]]:
        return await history.incomes(self._client, kind, symbol, start_ms=to_ms(since), end_ms=to_ms(until))

    async def price_of_asset(self, asset: str) -> Decimal | None:
        """Return the last price of an asset in the margin asset; None if no contract trades the pair."""
        if asset == self._margin_asset:
            return Decimal(1)
        try:
            return await self.market_price(f"{asset}/{self._margin_asset}")
        except ExchangeRejected:
            return None

    async def server_time_ms(self) -> int:
        """Return the exchange's time, Unix milliseconds."""
        return int((await self._get("fapiPublicGetTime"))["serverTime"])

    async def _measure_clock_offset_ms(self) -> int:
        """Return the exchange's clock minus this machine's at half the round trip."""
        asked_ms = time.time_ns() // 1_000_000
        server_ms = await self.server_time_ms()
        return server_ms - (asked_ms + time.time_ns() // 1_000_000) // 2

    # -- writing ---------------------------------------------------------------------------------------------------

    async def place(
        self,
        symbol: str,
        order: PlannedOrder,
        *,
        client_order_id: str,
        stamp: Stamp,
        timeout_s: float = ORDER_TIMEOUT_S,
    ) -> OrderView:
        """Place one order, or return the order that an earlier request placed under the same client id."""
        conditional = is_conditional(order.type)
        params = _request(symbol, order, client_order_id=client_order_id) | stamp.parameters
        method = "fapiPrivatePostAlgoOrder" if conditional else "fapiPrivatePostOrder"
        try:
            answer = await transport.call(self._client, method, params, timeout_s=timeout_s)
        except ExchangeError as error:
            if error.code in error_codes.DUPLICATE_CLIENT_ID:
                found = await self.find_order(symbol, client_order_id, conditional=conditional)
                if found is not None:
                    return found
            raise
        return responses.algo_view(answer) if conditional else responses.order_view(answer)

    async def cancel(self, symbol: str, order: OrderView, *, stamp: Stamp) -> bool:
        """Cancel a standing order; return False if it was filled, triggered or cancelled before."""
        name, params = "fapiPrivateDeleteAlgoOrder", {"algoId": order.exchange_order_id}
        if not order.conditional:
            name = "fapiPrivateDeleteOrder"
            params = {"symbol": venue_symbol(symbol), "orderId": order.exchange_order_id}
        try:
            await transport.call(self._client, name, params | stamp.parameters, timeout_s=ORDER_TIMEOUT_S)
        except OrderUnknown:
            return False
        return True

    async def _get(self, method: str, **params: Any) -> Any:
        return await transport.call(self._client, method, params, timeout_s=READ_TIMEOUT_S)


def _request(symbol: str, order: PlannedOrder, *, client_order_id: str) -> dict[str, Any]:
    """Return the exchange's parameters of an order (New Order, New Algo Order)."""
    params: dict[str, Any] = {"symbol": venue_symbol(symbol), "side": order.side.value, "type": order.type.value}
    conditional = is_conditional(order.type)
    if conditional:
        params |= {"algoType": "CONDITIONAL", "clientAlgoId": client_order_id, "workingType": "CONTRACT_PRICE"}
    else:
        params["newClientOrderId"] = client_order_id
    if order.close_position:
        params["closePosition"] = "true"  # excludes an amount and reduceOnly
    else:
        params["quantity"] = _digits(order.amount)
        if order.reduce_only:
            params["reduceOnly"] = "true"
    if order.price is not None:
        params |= {"price": _digits(order.price), "timeInForce": order.time_in_force.value}
    if order.trigger_price is not None:
        params["triggerPrice"] = _digits(order.trigger_price)
    if order.callback_rate is not None:
        params["callbackRate"] = _digits(order.callback_rate)
    if order.activation_price is not None:
        params["activatePrice"] = _digits(order.activation_price)
    if order.leg in {*ENTRY_LEGS, Leg.CLOSE, Leg.FLATTEN}:
        params["newOrderRespType"] = "RESULT"  # so that the response contains the fill
    return params


def _digits(value: Decimal | None) -> str:
    if value is None:
        raise ValueError("an order without closePosition needs an amount")
    return format(value, "f")
