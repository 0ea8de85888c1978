from __future__ import annotations

from decimal import Decimal

import pytest

from shared.trading.valuation import UsdValue, unpriced_assets, usd_price, usd_value

PRICES = {
    "BTC/USDT": Decimal(20000),
    "ETH/BTC": Decimal("0.05"),
    "SOL/USDC": Decimal(20),
    "BTC/EUR": Decimal(16000),
    "USDT/TRY": Decimal(40),
    "DEAD/USDT": Decimal(0),
}


def test_dollars_need_no_price() -> None:
    amounts = {"USDT": Decimal(5), "USDC": Decimal("2.5"), "BTC": Decimal(0)}
    assert unpriced_assets(amounts, {}) == ()
    assert usd_value(amounts, {}) == UsdValue(Decimal("7.5"))


def test_assets_are_priced_directly_by_another_dollar_or_through_bitcoin() -> None:
    assert usd_price("BTC", PRICES) == 20000
    assert usd_price("SOL", PRICES) == 20
    assert usd_price("ETH", PRICES) == 1000


def test_quote_currency_is_priced_by_the_inverse() -> None:
    assert usd_price("EUR", PRICES) == Decimal("1.25")
    assert usd_price("TRY", PRICES) == Decimal("0.025")


def test_asset_without_a_price_is_named_and_counts_zero() -> None:
    amounts = {"BTC": Decimal("0.5"), "XYZ": Decimal(100), "DEAD": Decimal(1), "OLD": Decimal(0)}
    assert unpriced_assets(amounts, {}) == ("BTC", "XYZ", "DEAD")
    assert usd_value(amounts, PRICES) == UsdValue(Decimal(10000), ("XYZ", "DEAD"))


def test_debt_counts_against_the_rest() -> None:
    assert usd_value({"USDT": Decimal(-3), "BTC": Decimal("0.001")}, PRICES) == UsdValue(Decimal(17))


@pytest.mark.parametrize(("asset", "price"), [("LDUSDT", 1), ("LDBTC", 20000), ("LDETH", 1000), ("LD", None)])
def test_asset_on_loan_has_the_price_of_the_asset(asset: str, price: int | None) -> None:
    assert usd_price(asset, PRICES) == price


def test_asset_whose_name_resembles_a_loan_has_its_own_price() -> None:
    assert usd_price("LDO", PRICES | {"LDO/USDT": Decimal("1.2"), "O/USDT": Decimal(7)}) == Decimal("1.2")


@pytest.mark.parametrize("asset", ["BNFCR", "RWUSD", "BFUSD"])
def test_what_the_exchange_exchanges_at_one_for_one_is_a_dollar(asset: str) -> None:
    assert usd_price(asset, {}) == 1
