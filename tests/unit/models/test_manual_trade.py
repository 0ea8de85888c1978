from __future__ import annotations

from shared.clock import from_iso
from shared.models.manual_trade import ManualTrade, manual_trade_id
from tests.unit.records import KEY_ID, id_of


def test_fill_that_is_imported_again_has_the_same_id() -> None:
    once = manual_trade_id(api_key_id=KEY_ID, symbol="BTC/USDT", exchange_trade_id="244289655")
    assert once == manual_trade_id(api_key_id=KEY_ID, symbol="BTC/USDT", exchange_trade_id="244289655")


def test_same_number_on_another_symbol_or_key_is_another_fill() -> None:
    ids = {
        manual_trade_id(api_key_id=key_id, symbol=symbol, exchange_trade_id="1")
        for key_id in (KEY_ID, id_of("another key"))
        for symbol in ("BTC/USDT", "ETH/USDT")
    }
    assert len(ids) == 4


def test_keys_sort_by_time() -> None:
    earlier = ManualTrade.key_of(from_iso("2022-09-09T09:59:59.999Z"), "z")
    assert earlier < ManualTrade.key_of(from_iso("2022-09-09T10:00:00.000Z"), "a")
