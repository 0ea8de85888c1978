"""The full listing: some 600 symbols as the exchange lists them. Checks nothing.

The perpetuals are the same at every start; the dated contracts are those of the present and of the next quarter.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from local.paper_exchange.symbols import ALT_BRACKETS, SYMBOLS, SpotFilters, Symbol

LISTED = 600
_SEED = 20_251_225
_SYLLABLES = (
    "AK",
    "BO",
    "CER",
    "DU",
    "EL",
    "FI",
    "GRA",
    "HY",
    "IN",
    "JO",
    "KA",
    "LUM",
    "MO",
    "NEX",
    "OR",
    "PY",
    "QU",
    "RO",
)
_TRADITIONAL = (
    ("TSLA", "250", "EQUITY"),
    ("NVDA", "180", "EQUITY"),
    ("XAU", "4000", "COMMODITY"),
    ("XAG", "50", "COMMODITY"),
)
_NAMED = (("币安人生", "0.15"), ("1000PEPE", "0.011"), ("BTCDOM", "4100"))
_WITH_DATES = ("BTC", "ETH")
_WITH_USDC = ("BTC", "ETH", "SOL")
_DATE = "%y%m%d"
_DELIVERY_HOUR = 8
_FRIDAY = 4
_LAST_DAY = timedelta(days=1)
"""A contract that has less time left is not listed any more when the exchange starts."""


def quarters_from(now: datetime) -> Iterator[str]:
    """Yield the dates of the deliveries after a time: the last Fridays of March, June, September and December."""
    for year in itertools.count(now.year):
        for month in (3, 6, 9, 12):
            last_day = datetime(year + month // 12, month % 12 + 1, 1, _DELIVERY_HOUR, tzinfo=UTC) - timedelta(days=1)
            friday = last_day - timedelta(days=(last_day.weekday() - _FRIDAY) % 7)
            if friday > now + _LAST_DAY:
                yield friday.strftime(_DATE)


CURRENT_QUARTER, NEXT_QUARTER = itertools.islice(quarters_from(datetime.now(UTC)), 2)


def _perpetual(base: str, price: Decimal) -> Symbol:
    """Return a perpetual whose tick is some ten thousandth of its price, as the exchange has them."""
    digits = max(0, 4 - price.adjusted())
    amount_digits = min(3, max(0, price.adjusted()))
    tick = Decimal(1).scaleb(-digits)
    step = Decimal(1).scaleb(-amount_digits)
    most = (Decimal(10_000_000) / price).quantize(Decimal(1)) + 100
    return Symbol(
        name=f"{base}USDT",
        base=base,
        start_price=price,
        price_digits=digits,
        amount_digits=amount_digits,
        tick=tick,
        step=step,
        min_price=tick,
        max_price=(price * 100).quantize(tick),
        max_amount=most,
        max_market_amount=(most / 10).quantize(Decimal(1)),
        min_notional_usdt=Decimal(5),
        percent_band=Decimal("0.15"),
        brackets=ALT_BRACKETS,
        spot=SpotFilters(tick, step, most),
    )


def _dated(base: str, contract_type: str, date: str) -> Symbol:
    perpetual = SYMBOLS[f"{base}USDT"]
    delivery = datetime.strptime(date, _DATE).replace(hour=_DELIVERY_HOUR, tzinfo=UTC)
    return dataclasses.replace(
        perpetual,
        name=f"{perpetual.name}_{date}",
        pair=perpetual.name,
        contract_type=contract_type,
        delivery_ms=int(delivery.timestamp() * 1000),
    )


def _in_usdc(symbol: Symbol) -> Symbol:
    return dataclasses.replace(symbol, name=f"{symbol.base}USDC", quote="USDC")


def _further() -> list[Symbol]:
    dice = random.Random(_SEED)  # noqa: S311 - the same list at every start
    symbols = [
        _dated(base, contract_type, date)
        for contract_type, date in (("CURRENT_QUARTER", CURRENT_QUARTER), ("NEXT_QUARTER", NEXT_QUARTER))
        for base in _WITH_DATES
    ]
    symbols += [_perpetual(base, Decimal(price)) for base, price in _NAMED]
    symbols += [_in_usdc(SYMBOLS[f"{base}USDT"]) for base in _WITH_USDC]
    symbols += [
        dataclasses.replace(
            _perpetual(base, Decimal(price)), contract_type="TRADIFI_PERPETUAL", underlying_type=underlying
        )
        for base, price, underlying in _TRADITIONAL
    ]
    taken = {symbol.name for symbol in (*SYMBOLS.values(), *symbols)}
    bases = ["".join(parts) for size in (2, 3) for parts in itertools.product(_SYLLABLES, repeat=size)]
    dice.shuffle(bases)
    for base in bases:
        if len(SYMBOLS) + len(symbols) == LISTED:
            break
        price = Decimal(dice.randint(1000, 9999)).scaleb(dice.choice((-8, -7, -6, -5, -4, -3, -2)))
        if f"{base}USDT" not in taken:
            symbols.append(_perpetual(base, price))
    return symbols


class _Symbols(dict[str, Symbol]):
    """The listed symbols; by its name alone also a dated contract of an earlier quarter, which an account may hold."""

    def __missing__(self, name: str) -> Symbol:
        perpetual, separator, date = name.partition("_")
        base = perpetual.removesuffix("USDT")
        if not separator or base not in _WITH_DATES:
            raise KeyError(name)
        return _dated(base, "CURRENT_QUARTER", date)


EVERY_SYMBOL: dict[str, Symbol] = _Symbols({**SYMBOLS, **{symbol.name: symbol for symbol in _further()}})
