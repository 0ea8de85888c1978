"""Turns an account's fills and incomes into results in dollars. Reads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, assert_never

from shared.exchange.account_fills import AccountFill, AccountIncome, IncomeKind
from shared.observability import logger
from shared.trading.arithmetic import exact
from shared.trading.valuation import usd_price

MONEY_STEP: Final = Decimal("1e-8")
"""Results are rounded to this step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a fill or an income did to a futures wallet, in dollars."""

    profit: Decimal
    """After the fee, funding included."""
    fee: Decimal = Decimal(0)
    funding: Decimal = Decimal(0)
    closes: bool = False
    """Whether the exchange reported a profit or loss: the fill closed (part of) a position."""


def result_of_fill(fill: AccountFill, prices: Mapping[str, Decimal]) -> Result | None:
    """Return the result of a fill; None on spot, where the asset's cost is unknown."""
    if fill.realized_pnl is None:
        return None
    with exact():
        fee = fill.fee * _price_of(fill.fee_currency, prices)
        gross = fill.realized_pnl * _price_of(fill.quote, prices)
        profit = (gross - fee).quantize(MONEY_STEP)
    return Result(profit=profit, fee=fee.quantize(MONEY_STEP), closes=bool(fill.realized_pnl))


def result_of_income(income: AccountIncome, prices: Mapping[str, Decimal]) -> Result:
    """Return the result of a funding payment or a liquidation fee."""
    with exact():
        amount = (income.amount * _price_of(income.asset, prices)).quantize(MONEY_STEP)
    match income.kind:
        case IncomeKind.FUNDING | IncomeKind.SPECIAL_FUNDING:
            return Result(profit=amount, funding=amount)
        case IncomeKind.LIQUIDATION_FEE:
            return Result(profit=amount, fee=-amount)
        case _:
            assert_never(income.kind)


def _price_of(asset: str, prices: Mapping[str, Decimal]) -> Decimal:
    price = usd_price(asset, prices)
    if price is None:
        logger.warning("assets_without_price", assets=[asset])
        return Decimal(0)
    return price
