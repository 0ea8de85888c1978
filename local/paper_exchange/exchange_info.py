"""The exchangeInfo and leverageBracket bodies, each written once for a listing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from local.paper_exchange.encoding import encoded
from local.paper_exchange.symbols import MAX_OPEN_ALGO_ORDERS, MAX_OPEN_ORDERS, SYMBOLS, Symbol

_FUTURES_TYPES = ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]
_ONBOARDED_MS = 1_569_398_400_000


def _futures_symbol(symbol: Symbol) -> dict[str, Any]:
    return {
        "symbol": symbol.name,
        "pair": symbol.pair or symbol.name,
        "contractType": symbol.contract_type,
        "deliveryDate": symbol.delivery_ms,
        "onboardDate": _ONBOARDED_MS,
        "status": symbol.status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": symbol.base,
        "quoteAsset": symbol.quote,
        "marginAsset": symbol.quote,
        "pricePrecision": symbol.price_digits,
        "quantityPrecision": symbol.amount_digits,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": symbol.underlying_type,
        "underlyingSubType": ["Layer-1"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": str(symbol.percent_band),
        "maxMoveOrderLimit": 10000,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": str(symbol.min_price),
                "maxPrice": str(symbol.max_price),
                "tickSize": str(symbol.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": str(symbol.min_amount),
                "maxQty": str(symbol.max_amount),
                "stepSize": str(symbol.step),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": str(symbol.min_amount),
                "maxQty": str(symbol.max_market_amount),
                "stepSize": str(symbol.step),
            },
            {"filterType": "MAX_NUM_ORDERS", "limit": MAX_OPEN_ORDERS},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": MAX_OPEN_ALGO_ORDERS},
            {"filterType": "MIN_NOTIONAL", "notional": str(symbol.min_notional_usdt)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": f"{symbol.multiplier_up:.4f}",
                "multiplierDown": f"{symbol.multiplier_down:.4f}",
                "multiplierDecimal": "4",
            },
            {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
        ],
        "orderTypes": _FUTURES_TYPES,
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        "permissionSets": ["GRID", "COPY"],
    }


def _spot_symbol(symbol: Symbol) -> dict[str, Any]:
    return {
        "symbol": symbol.name,
        "status": "TRADING",
        "baseAsset": symbol.base,
        "baseAssetPrecision": 8,
        "quoteAsset": symbol.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": str(symbol.spot.tick),
                "maxPrice": "1000000.00000000",
                "tickSize": str(symbol.spot.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": str(symbol.spot.step),
                "maxQty": str(symbol.spot.max_amount),
                "stepSize": str(symbol.spot.step),
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": str(symbol.spot.min_notional_usdt),
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": MAX_OPEN_ORDERS},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def futures_info(symbols: Iterable[Symbol], now_ms: int) -> bytes:
    """Return the body of `GET /fapi/v1/exchangeInfo`; its serverTime stays the time of the start."""
    info = {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
        ],
        "exchangeFilters": [],
        "assets": [
            {"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"},
            {"asset": "BNB", "marginAvailable": True, "autoAssetExchange": "-10"},
        ],
        "symbols": [_futures_symbol(symbol) for symbol in symbols],
    }
    return encoded(info)


def spot_info(now_ms: int) -> bytes:
    """Return the body of `GET /api/v3/exchangeInfo`."""
    info = {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        ],
        "exchangeFilters": [],
        "symbols": [_spot_symbol(symbol) for symbol in SYMBOLS.values()],
    }
    return encoded(info)


def leverage_brackets(symbol: Symbol) -> dict[str, Any]:
    """Return one symbol's entry of `GET /fapi/v1/leverageBracket`."""
    return {
        "symbol": symbol.name,
        "notionalCoef": 1.0,
        "brackets": [
            {
                "bracket": number,
                "initialLeverage": bracket.leverage,
                "notionalCap": int(bracket.cap_usdt),
                "notionalFloor": int(bracket.floor_usdt),
                "maintMarginRatio": float(bracket.maintenance_rate),
                "cum": float(bracket.cum_usdt),
            }
            for number, bracket in enumerate(symbol.brackets, start=1)
        ],
    }
