"""The public routes of both markets: time, symbols, prices, candles without volumes. The spot market is endless."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from local.paper_exchange import books, filters
from local.paper_exchange.calls import Access, Call, Handler, Route, Routes
from local.paper_exchange.candles import PriceHistory
from local.paper_exchange.exchange_info import futures_info, spot_info
from local.paper_exchange.listing import EVERY_SYMBOL
from local.paper_exchange.orders import ZERO
from local.paper_exchange.refusals import Refusal
from local.paper_exchange.responses import fixed, money
from local.paper_exchange.symbols import SYMBOLS

_INTERVALS_MS = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "8h": 28_800_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
    "3d": 259_200_000,
    "1w": 604_800_000,
}
_MARK_DIGITS = 8
_DAY_MS = 86_400_000
_FUNDING_MS = 28_800_000
_DEPTH_AMOUNT = books.SHOWN_OF_ENDLESS
_DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1000)
_DEPTH_WEIGHTS = ((50, 2), (100, 5), (500, 10), (1000, 20))
_SPOT_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))
_CANDLE_WEIGHTS = ((99, 1), (499, 2), (1000, 5), (1500, 10))


def _price(call: Call, name: str) -> str:
    return fixed(call.venue.quotes[name].last, EVERY_SYMBOL[name].price_digits)


def _for_each(call: Call, row: Any) -> Any:
    """Return one symbol's row, or a list of all."""
    name = call.params.text("symbol")
    if name is not None:
        return row(call, filters.find_symbol(call.venue, name).name)
    return [row(call, symbol) for symbol in call.venue.listed()]


def _for_each_spot(call: Call, row: Any) -> Any:
    name = call.params.text("symbol")
    if name is not None:
        return row(call, filters.find_spot_symbol(name).name)
    return [row(call, symbol) for symbol in SYMBOLS]


def ping(_: Call) -> dict[str, Any]:
    """GET /fapi/v1/ping."""
    return {}


def server_time(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/time."""
    return {"serverTime": call.now_ms}


def ticker_price(call: Call) -> Any:
    """GET /fapi/v1/ticker/price."""
    return _for_each(call, lambda c, name: {"symbol": name, "price": _price(c, name), "time": c.now_ms})


def spot_ticker_price(call: Call) -> Any:
    """GET /api/v3/ticker/price."""
    return _for_each_spot(call, lambda c, name: {"symbol": name, "price": _price(c, name)})


def book_ticker(call: Call) -> Any:
    """GET /fapi/v1/ticker/bookTicker: the best price of each side, 0 for a side that is empty."""
    return _for_each(call, _book_ticker_row)


def _book_ticker_row(call: Call, name: str) -> dict[str, Any]:
    depth, symbol, nothing = books.depth(call.venue, name, call.now_ms), EVERY_SYMBOL[name], (ZERO, ZERO)
    bid, ask = (depth.bids or [nothing])[0], (depth.asks or [nothing])[0]
    return {
        "symbol": name,
        "bidPrice": fixed(bid[0], symbol.price_digits),
        "bidQty": fixed(bid[1], symbol.amount_digits),
        "askPrice": fixed(ask[0], symbol.price_digits),
        "askQty": fixed(ask[1], symbol.amount_digits),
        "time": call.now_ms,
    }


def spot_book_ticker(call: Call) -> Any:
    """GET /api/v3/ticker/bookTicker: both sides at the last price, which is where spot market orders fill."""
    return _for_each_spot(
        call,
        lambda c, name: {
            "symbol": name,
            "bidPrice": _price(c, name),
            "bidQty": str(_DEPTH_AMOUNT),
            "askPrice": _price(c, name),
            "askQty": str(_DEPTH_AMOUNT),
        },
    )


def _day_row(call: Call, name: str) -> dict[str, Any]:
    last, start = call.venue.quotes[name].last, EVERY_SYMBOL[name].start_price
    digits = EVERY_SYMBOL[name].price_digits
    return {
        "symbol": name,
        "priceChange": fixed(last - start, digits),
        "priceChangePercent": fixed((last - start) / start * 100, 3),
        "weightedAvgPrice": fixed(last, digits),
        "lastPrice": fixed(last, digits),
        "lastQty": "0",
        "openPrice": fixed(start, digits),
        "highPrice": fixed(max(last, start), digits),
        "lowPrice": fixed(min(last, start), digits),
        "volume": "0",
        "quoteVolume": "0",
        "openTime": call.now_ms - _DAY_MS,
        "closeTime": call.now_ms,
        "firstId": 0,
        "lastId": 0,
        "count": 0,
    }


def _spot_day_row(call: Call, name: str) -> dict[str, Any]:
    """Return a row of the spot market, which has the best prices besides."""
    price = _price(call, name)
    best = {"bidPrice": price, "bidQty": str(_DEPTH_AMOUNT), "askPrice": price, "askQty": str(_DEPTH_AMOUNT)}
    return {
        **_day_row(call, name),
        "prevClosePrice": fixed(EVERY_SYMBOL[name].start_price, EVERY_SYMBOL[name].price_digits),
        **best,
    }


def ticker_day(call: Call) -> Any:
    """GET /fapi/v1/ticker/24hr."""
    return _for_each(call, _day_row)


def spot_ticker_day(call: Call) -> Any:
    """GET /api/v3/ticker/24hr."""
    return _for_each_spot(call, _spot_day_row)


def premium_index(call: Call) -> Any:
    """GET /fapi/v1/premiumIndex."""
    return _for_each(call, _premium_index_row)


def _premium_index_row(call: Call, name: str) -> dict[str, Any]:
    mark, funding = money(call.venue.quotes[name].mark), call.venue.funding.get(name)
    next_ms = (call.now_ms // _FUNDING_MS + 1) * _FUNDING_MS
    return {
        "symbol": name,
        "markPrice": mark,
        "indexPrice": mark,
        "estimatedSettlePrice": mark,
        "lastFundingRate": "0.00010000" if funding is None else money(funding.rate),
        "interestRate": "0.00010000",
        "nextFundingTime": next_ms if funding is None else funding.next_ms,
        "time": call.now_ms,
    }


def depth(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/depth."""
    symbol = filters.find_symbol(call.venue, call.params.required("symbol"))
    limit = call.params.limit()
    if limit not in _DEPTH_LIMITS:
        raise Refusal(-4021, limit)
    found = books.depth(call.venue, symbol.name, call.now_ms)
    sides = {
        side: [[fixed(price, symbol.price_digits), fixed(amount, symbol.amount_digits)] for price, amount in rows]
        for side, rows in (("bids", found.bids[:limit]), ("asks", found.asks[:limit]))
    }
    return {"lastUpdateId": call.now_ms, "E": call.now_ms, "T": call.now_ms, **sides}


def spot_depth(call: Call) -> dict[str, Any]:
    """GET /api/v3/depth."""
    name = filters.find_spot_symbol(call.params.required("symbol")).name
    level = [_price(call, name), str(_DEPTH_AMOUNT)]
    return {"lastUpdateId": call.now_ms, "bids": [level], "asks": [level]}


def klines(call: Call) -> list[list[Any]]:
    """GET klines: the candles of the last price, up to the present one, which is not over."""
    name = filters.find_symbol(call.venue, call.params.required("symbol")).name
    digits = EVERY_SYMBOL[name].price_digits
    return _candles(call, call.venue.last_prices.get(name), call.venue.quotes[name].last, digits=digits)


def mark_price_klines(call: Call) -> list[list[Any]]:
    """GET /fapi/v1/markPriceKlines."""
    name = filters.find_symbol(call.venue, call.params.required("symbol")).name
    return _candles(call, call.venue.mark_prices.get(name), call.venue.quotes[name].mark, digits=_MARK_DIGITS)


def _candles(call: Call, history: PriceHistory | None, price: Decimal, *, digits: int) -> list[list[Any]]:
    """Return the latest candles, or with a start the first ones from there on."""
    length_ms = _INTERVALS_MS.get(call.params.required("interval"))
    if length_ms is None:
        raise Refusal(-1120)
    newest = min(call.params.integer("endTime") or call.now_ms, call.now_ms) // length_ms * length_ms
    start_ms, span_ms = call.params.integer("startTime"), (call.params.limit(most=1500) - 1) * length_ms
    if start_ms is None:
        oldest = newest - span_ms
    else:
        oldest = -(-start_ms // length_ms) * length_ms
        newest = min(newest, oldest + span_ms)
    found = (history or PriceHistory()).candles(oldest_ms=oldest, newest_ms=newest, length_ms=length_ms, price=price)
    nothing = str(ZERO)
    return [
        [
            candle.opened_ms,
            *(fixed(one, digits) for one in (candle.open, candle.high, candle.low, candle.close)),
            nothing,
            candle.opened_ms + length_ms - 1,
            nothing,
            0,
            nothing,
            nothing,
            nothing,
        ]
        for candle in found
    ]


def _nothing(_: Call) -> list[Any]:
    return []


def _no_symbols(call: Call) -> dict[str, Any]:
    return {"timezone": "UTC", "serverTime": call.now_ms, "rateLimits": [], "exchangeFilters": [], "symbols": []}


def _status(_: Call) -> dict[str, Any]:
    return {"status": 0, "msg": "normal"}


class _FuturesInfo:
    """Answers exchangeInfo, whose body is written again only when the listing has changed."""

    def __init__(self, started_ms: int) -> None:
        self._started_ms = started_ms
        self._written: tuple[Any, bytes] = (None, b"")

    def __call__(self, call: Call) -> bytes:
        listing = (call.venue.has_full_listing, tuple(call.venue.changes.items()))
        if self._written[0] != listing:
            self._written = listing, futures_info(call.venue.listed().values(), self._started_ms)
        return self._written[1]


def _constant(body: bytes) -> Handler:
    return lambda _: body


def routes(started_ms: int) -> Routes:
    """Return the public routes, with the large bodies already written."""
    public = Access.PUBLIC
    table: Routes = {
        ("GET", "/fapi/v1/exchangeInfo"): Route(_FuturesInfo(started_ms), public),
        ("GET", "/api/v3/exchangeInfo"): Route(_constant(spot_info(started_ms)), public, weight=20),
        ("GET", "/fapi/v1/ticker/bookTicker"): Route(
            book_ticker, public, weight=2, weight_without_symbol=5, counts_accurately=False
        ),
        ("GET", "/fapi/v1/depth"): Route(depth, public, weights_by_limit=_DEPTH_WEIGHTS),
        ("GET", "/fapi/v1/klines"): Route(klines, public, weights_by_limit=_CANDLE_WEIGHTS),
        ("GET", "/fapi/v1/markPriceKlines"): Route(mark_price_klines, public, weights_by_limit=_CANDLE_WEIGHTS),
        ("GET", "/api/v3/ticker/bookTicker"): Route(spot_book_ticker, public, weight=2, weight_without_symbol=4),
        ("GET", "/api/v3/depth"): Route(spot_depth, public, weights_by_limit=_SPOT_DEPTH_WEIGHTS, default_limit=100),
        ("GET", "/api/v3/klines"): Route(klines, public, weight=2),
        # A ccxt client reads these when it loads its markets; none of them trade here.
        ("GET", "/dapi/v1/exchangeInfo"): Route(_no_symbols, public),
        ("GET", "/sapi/v1/system/status"): Route(_status, public),
        ("GET", "/sapi/v1/capital/config/getall"): Route(_nothing, weight=10),
        ("GET", "/sapi/v1/margin/allPairs"): Route(_nothing),
        ("GET", "/sapi/v1/margin/isolated/allPairs"): Route(_nothing),
        ("GET", "/fapi/v1/premiumIndex"): Route(premium_index, public, weight_without_symbol=10),
        ("GET", "/fapi/v2/ticker/price"): Route(ticker_price, public, weight_without_symbol=2, counts_accurately=False),
    }
    prices = Route(ticker_price, public, weight_without_symbol=2)
    spot_prices = Route(spot_ticker_price, public, weight=2, weight_without_symbol=4)
    days = Route(ticker_day, public, weight_without_symbol=40)
    spot_days = Route(spot_ticker_day, public, weight=2, weight_without_symbol=80)
    for base, price, day in (("/fapi/v1", prices, days), ("/api/v3", spot_prices, spot_days)):
        table |= {
            ("GET", f"{base}/ping"): Route(ping, public),
            ("GET", f"{base}/time"): Route(server_time, public),
            ("GET", f"{base}/ticker/price"): price,
            ("GET", f"{base}/ticker/24hr"): day,
        }
    return table
