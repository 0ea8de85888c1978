"""What an entry of a past alert would have been, from the alert and an equity alone. Reads nothing.

The exchange's part is not known afterwards: its step and minimum, the free margin, and the market at that moment. So
the entry is sized from the alert's own price, by the same rule as a real one, without the exchange's limits.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from shared.trading.entry_price import MarketPrices
from shared.trading.filters import SymbolFilters, round_down
from shared.trading.signal import Signal
from shared.trading.sizing import AccountState, SizedOrder, SizingRules, size_order

_SHOWN = Decimal("0.00000001")


def preview_entry(signal: Signal, *, equity: Decimal, rules: SizingRules) -> SizedOrder:
    """Return the entry, its amount down to eight decimals; raise OrderDenied where the alert itself forbids it."""
    sized = size_order(
        signal=signal,
        account=AccountState(
            wallet_balance=equity,
            margin_balance=equity,
            available_margin=equity,
            # Such that neither margin nor bracket caps the entry before the product's own limit does.
            leverage=2 * rules.max_effective_leverage,
            bracket_notional_cap=equity * rules.max_effective_leverage,
            maintenance_margin_rate=Decimal(0),
        ),
        filters=SymbolFilters.without_conditions(""),
        rules=rules,
        prices=MarketPrices(last=signal.order_price, bid=signal.order_price, ask=signal.order_price),
    )
    return replace(
        sized,
        amount=round_down(sized.amount, _SHOWN),
        notional_usdt=round_down(sized.notional_usdt, _SHOWN),
        risk_usdt=round_down(sized.risk_usdt, _SHOWN),
    )
