"""The names of symbols: from the exchange's, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.symbols import assets_of, symbol_name, unlisted_symbol_name, venue_symbol

NAMES = [
    ("BTCUSDT", "USDT", "BTC/USDT"),
    ("BTCUSDC", "USDC", "BTC/USDC"),
    ("ETHBTC", "BTC", "ETH/BTC"),
    ("1000SHIBUSDT", "USDT", "1000SHIB/USDT"),
    ("USDCUSDT", "USDT", "USDC/USDT"),
    ("币安人生USDT", "USDT", "币安人生/USDT"),
    ("BTCUSDT_261225", "USDT", "BTC/USDT-261225"),
    ("币安人生USDT_261225", "USDT", "币安人生/USDT-261225"),
]


@pytest.mark.parametrize(("listed", "quote", "name"), NAMES)
def test_name_and_the_exchanges_name_give_each_other(listed: str, quote: str, name: str) -> None:
    assert symbol_name(listed, quote=quote) == name
    assert venue_symbol(name) == listed
    assert assets_of(name)[1] == quote
    assert unlisted_symbol_name(listed) == name


@pytest.mark.parametrize(
    ("listed", "quote"), [("USDT", "USDT"), ("BTCUSDT_", "USDT"), ("_261225", "USDT"), ("BTCUSD", "USDT"), ("BTC", "")]
)
def test_name_that_is_not_made_of_base_quote_and_date(listed: str, quote: str) -> None:
    assert symbol_name(listed, quote=quote) is None


def test_symbol_of_an_unknown_quote_keeps_the_exchanges_name() -> None:
    assert unlisted_symbol_name("BTCXYZ") == "BTCXYZ"


_LETTERS = st.characters(categories=["L", "N"])
_BASES = st.text(_LETTERS, min_size=1, max_size=12)
_QUOTES = st.sampled_from(["USDT", "USDC", "BTC", "U", "USD1"])
_DATES = st.sampled_from(["", "_261225", "_270326"])


@given(base=_BASES, quote=_QUOTES, date=_DATES)
def test_no_name_is_lost_or_shared(base: str, quote: str, date: str) -> None:
    listed = f"{base}{quote}{date}"
    name = symbol_name(listed, quote=quote)
    assert name is not None
    assert venue_symbol(name) == listed
    assert assets_of(name) == (base, quote)
