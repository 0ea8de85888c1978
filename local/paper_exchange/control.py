"""The control interface under /paper: accounts, prices, latency, faults, switches. Not part of Binance's protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from local.paper_exchange import fills, price_moves
from local.paper_exchange.accounts import Account, FurtherKey, SpotBalance
from local.paper_exchange.control_values import BadControlRequest, amount, amounts, known_symbol, plain
from local.paper_exchange.faults import Faults, parse_fault
from local.paper_exchange.order_routes import algo_row
from local.paper_exchange.orders import ZERO, IncomeType, Order, PositionSide, Wallet
from local.paper_exchange.responses import money, order_json, spot_order_json, spot_trade_json, trade_json
from local.paper_exchange.venue import Settings, Venue

_PERMISSIONS = {
    "canTrade": "can_trade",
    "canRead": "can_read",
    "canWithdraw": "can_withdraw",
    "enableWithdrawals": "can_withdraw",
    "enableReading": "can_read",
    "enableFutures": "enable_futures",
    "enableSpotAndMarginTrading": "enable_spot",
    "enablePortfolioMarginTrading": "enable_portfolio_margin",
    "ipRestrict": "ip_restricted",
}
_FEES = {"makerFee": "maker_fee", "takerFee": "taker_fee"}
_HEDGE_NAMES = ("hedgeMode", "dualSidePosition")
_ACCOUNT_FIELDS = {
    "apiKey",
    "secret",
    "balances",
    "spotBalances",
    "permissions",
    "positionMode",
    "multiAssetsMargin",
    "feeBurn",
    "tradfiSigned",
    "leverage",
    *_FEES,
    *_HEDGE_NAMES,
    *_PERMISSIONS,
}


class Controls:
    """The actions of the control interface."""

    def __init__(self, venue: Venue, faults: Faults) -> None:
        self.venue = venue
        self.faults = faults
        self.latency_ms = 0.0

    def create_account(self, body: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Open an account; raise BadControlRequest if the key is taken."""
        api_key, secret = body.get("apiKey"), body.get("secret")
        if not isinstance(api_key, str) or not api_key or not isinstance(secret, str) or not secret:
            raise BadControlRequest("apiKey and secret must be text")
        self._refuse_taken(api_key)
        account = Account(api_key=api_key, secret=secret, created_ms=now_ms)
        self._change(account, body, now_ms)
        self.venue.accounts[api_key] = account
        return self.snapshot(account)

    def _refuse_taken(self, api_key: str) -> None:
        if self.venue.find_key(api_key) is not None:
            raise BadControlRequest("an account with this apiKey exists", 409)

    def create_further_key(self, owner: str, body: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Create another key of an account, with permissions of its own."""
        account = self.find_account(owner)
        api_key, secret = body.get("apiKey"), body.get("secret")
        if not isinstance(api_key, str) or not api_key or not isinstance(secret, str) or not secret:
            raise BadControlRequest("apiKey and secret must be text")
        self._refuse_taken(api_key)
        unknown = set(body) - {"apiKey", "secret", "permissions", *_PERMISSIONS}
        if unknown:
            raise BadControlRequest(f"unknown fields: {', '.join(sorted(unknown))}")
        key = FurtherKey(api_key, secret, account.api_key, now_ms)
        _change_permissions(key, body)
        self.venue.further_keys[api_key] = key
        return {"apiKey": api_key, "accountAlias": account.alias}

    def change_account(self, api_key: str, body: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Change the fields in `body` and no others."""
        account = self.find_account(api_key)
        self._change(account, body, now_ms, key=self.venue.further_keys.get(api_key))
        return self.snapshot(account)

    def delete_account(self, api_key: str) -> dict[str, Any]:
        """Delete the account with all of its keys, or one further key; a deleted key is unknown from then on."""
        self.find_account(api_key)
        if self.venue.further_keys.pop(api_key, None) is None:
            del self.venue.accounts[api_key]
            for key in [key for key in self.venue.further_keys.values() if key.owner == api_key]:
                del self.venue.further_keys[key.api_key]
        return {}

    def find_account(self, api_key: str) -> Account:
        """Return the account; raise BadControlRequest if there is none."""
        account = self.venue.find_account(api_key)
        if account is None:
            raise BadControlRequest("no such account", 404)
        return account

    def snapshot(self, account: Account) -> dict[str, Any]:
        """Return an account's balances, positions, orders, fills and settings."""
        futures = account.open_orders()
        spot = account.open_orders(wallet=Wallet.SPOT)
        return {
            "apiKey": account.api_key,
            "accountAlias": account.alias,
            "walletBalance": money(account.balances.get("USDT", ZERO)),
            "balances": {asset: money(balance) for asset, balance in account.balances.items()},
            "positions": [
                {
                    "symbol": position.symbol,
                    "amount": plain(position.amount),
                    "entryPrice": plain(position.entry_price),
                    **({} if position.position_side is PositionSide.BOTH else {"positionSide": position.position_side}),
                }
                for position in account.held_positions()
            ],
            "openOrders": [
                *(_any_order_json(order) for order in (*futures, *spot)),
                *(algo_row(account, algo) for algo in account.open_algos()),
            ],
            "orders": [
                *(_any_order_json(order) for order in account.orders.values()),
                *(algo_row(account, algo) for algo in account.algos.values()),
            ],
            "trades": [
                trade_json(trade) if trade.wallet is Wallet.FUTURES else spot_trade_json(trade)
                for trade in account.trades
            ],
            "requests": dict(account.requests),
        }

    def _change(self, account: Account, body: Mapping[str, Any], now_ms: int, *, key: FurtherKey | None = None) -> None:
        unknown = set(body) - _ACCOUNT_FIELDS
        if unknown:
            raise BadControlRequest(f"unknown fields: {', '.join(sorted(unknown))}")
        balances = amounts(body.get("balances", {}))
        for asset, wanted in balances.items():
            change = wanted - account.balances.get(asset, ZERO)
            fills.book_income(self.venue, account, IncomeType.TRANSFER, change, now_ms=now_ms, asset=asset)
        for asset, wanted in amounts(body.get("spotBalances", balances)).items():
            account.spot_balances.setdefault(asset, SpotBalance()).free = wanted
        _change_permissions(account if key is None else key, body)
        for name in _FEES.keys() & body.keys():
            setattr(account, _FEES[name], amount(body[name], name))
        self._change_modes(account, body)

    def _change_modes(self, account: Account, body: Mapping[str, Any]) -> None:
        hedge: bool | None = next((bool(body[name]) for name in _HEDGE_NAMES if name in body), None)
        if "positionMode" in body:
            hedge = str(body["positionMode"]).lower() in ("hedge", "dual", "true")
        if hedge is not None and hedge != account.is_hedge_mode:
            if account.held_positions():
                raise BadControlRequest("the position mode cannot change while a position is open", 409)
            account.is_hedge_mode = hedge
            account.positions.clear()
        if "multiAssetsMargin" in body:
            account.is_multi_assets = bool(body["multiAssetsMargin"])
        if "tradfiSigned" in body:
            account.has_signed_tradfi = bool(body["tradfiSigned"])
        if "feeBurn" in body:
            account.pays_fees_in_bnb = bool(body["feeBurn"])
        leverage = body.get("leverage")
        if isinstance(leverage, Mapping):
            for symbol, value in leverage.items():
                account.leverages[known_symbol(self.venue, str(symbol))] = int(value)
        elif leverage is not None:
            account.default_leverage = int(leverage)
            account.leverages.clear()

    def set_price(self, name: str, body: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Move last and mark price, and fill or trigger what they cross; `markPrice` sets the mark price separately."""
        keeps_last = "price" not in body and "markPrice" in body
        last = self.venue.quotes[known_symbol(self.venue, name)].last
        price = last if keeps_last else amount(body.get("price"), "price")
        mark = amount(body["markPrice"], "markPrice") if "markPrice" in body else None
        if price <= 0 or (mark is not None and mark <= 0):
            raise BadControlRequest("price must be greater than 0")
        price_moves.move_price(self.venue, known_symbol(self.venue, name), price, now_ms, mark=mark)
        return self.prices()[name]

    def prices(self) -> dict[str, dict[str, str]]:
        """Return every symbol's prices."""
        return {
            name: {"symbol": name, "price": plain(quote.last), "markPrice": plain(quote.mark)}
            for name, quote in self.venue.quotes.items()
            if self.venue.symbol(name) is not None
        }

    def book_funding(self, body: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Book one funding payment on the symbol."""
        name = known_symbol(self.venue, str(body.get("symbol")))
        rate, special = amount(body.get("rate"), "rate"), bool(body.get("special"))
        price_moves.book_funding(self.venue, name, rate, now_ms, special=special)
        return {}

    def set_latency(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Set how long every answer of the exchange takes."""
        latency_ms = float(amount(body.get("ms"), "ms"))
        if latency_ms < 0:
            raise BadControlRequest("ms must not be negative")
        self.latency_ms = latency_ms
        return {"ms": latency_ms}

    def plan_fault(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Plan a fault."""
        try:
            fault = parse_fault(dict(body))
        except (TypeError, ValueError) as error:
            raise BadControlRequest(str(error)) from error
        self.faults.plan(fault)
        return {"faults": self.faults.as_json()}

    def change_settings(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change the settings in `body`; return all of them."""
        settings = self.venue.settings
        kinds = {field.name: type(getattr(settings, field.name)) for field in dataclasses.fields(Settings)}
        for name, value in body.items():
            if name not in kinds:
                raise BadControlRequest(f"unknown setting: {name}")
            if type(value) is not kinds[name]:
                raise BadControlRequest(f"{name} must be {kinds[name].__name__}")
        for name, value in body.items():
            setattr(settings, name, value)
        return dataclasses.asdict(settings)


def _change_permissions(key: Account | FurtherKey, body: Mapping[str, Any]) -> None:
    permissions = {**body.get("permissions", {}), **{name: body[name] for name in _PERMISSIONS if name in body}}
    for name, allowed in permissions.items():
        if name not in _PERMISSIONS:
            raise BadControlRequest(f"unknown permission: {name}")
        setattr(key.permissions, _PERMISSIONS[name], bool(allowed))


def _any_order_json(order: Order) -> dict[str, Any]:
    return order_json(order) if order.wallet is Wallet.FUTURES else spot_order_json(order)
