"""Markets, accounts and signals for the tests of this folder: worked ones, and strategies that draw them."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import strategies as st

from shared.trading.filters import SymbolFilters
from shared.trading.order_planning import ExitPlan, PlannedOrder
from shared.trading.readiness import AccountSetup
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal, Trailing
from shared.trading.sizing import AccountState, MarginMode

D = Decimal

BITCOIN = SymbolFilters(
    symbol="BTC/USDT",
    tick_size=D("0.10"),
    step_size=D("0.001"),
    min_amount=D("0.001"),
    max_amount=D("1000"),
    market_step_size=D("0.001"),
    market_min_amount=D("0.001"),
    market_max_amount=D("120"),
    min_notional=D("100"),
)

READY = AccountSetup(
    can_trade=True,
    futures_enabled=True,
    withdrawals_enabled=False,
    portfolio_margin=False,
    hedge_mode=False,
    multi_assets_margin=False,
    ip_restricted=True,
)

# The documentation's own trade: 0.673 BTC bought at 19,299.9 with its stop at 19,000.
DOCUMENTED = Signal(
    side=Side.BUY,
    order_price=D("19299.9"),
    stop=D("19000"),
    stop_type=StopType.MARKET,
    take_profits=(D("19450"), D("19500"), D("19550")),
)


def an_account(
    *,
    equity: str = "10000",
    wallet: str | None = None,
    margin: str | None = None,
    available: str | None = None,
    leverage: str = "20",
    bracket_cap: str = "1000000000",
    maintenance: str = "0.004",
    margin_mode: MarginMode = MarginMode.CROSS,
) -> AccountState:
    return AccountState(
        wallet_balance=D(wallet or equity),
        margin_balance=D(margin or equity),
        available_margin=D(available or equity),
        leverage=D(leverage),
        bracket_notional_cap=D(bracket_cap),
        maintenance_margin_rate=D(maintenance),
        margin_mode=margin_mode,
    )


def decimals(low: str, high: str, *, places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(min_value=D(low), max_value=D(high), places=places, allow_nan=False, allow_infinity=False)


@st.composite
def symbol_filters(draw: st.DrawFn) -> SymbolFilters:
    step = draw(st.sampled_from([D("0.001"), D("0.01"), D("0.1"), D(1)]))
    market_step = step * draw(st.sampled_from([D(1), D(1), D("1.5"), D(2), D(5), D(0)]))
    least = step * draw(st.integers(1, 20))
    market_least = (market_step or step) * draw(st.integers(1, 20))
    return SymbolFilters(
        symbol="XYZ/USDT",
        tick_size=draw(st.sampled_from([D("0.001"), D("0.005"), D("0.01"), D("0.10"), D("0.5"), D(1)])),
        step_size=step,
        min_amount=least,
        max_amount=draw(st.sampled_from([D(0), D(1000), D(10_000_000)])),
        market_step_size=market_step,
        market_min_amount=market_least,
        market_max_amount=draw(st.sampled_from([D(0), D(500), D(1_000_000)])),
        min_notional=draw(st.sampled_from([D(0), D(5), D(20), D(100)])),
    )


@st.composite
def signals(draw: st.DrawFn, *, most_targets: int = 6) -> Signal:
    side = draw(st.sampled_from(Side))
    order_price = draw(decimals("20", "60000", places=4))
    stop_share = draw(decimals("0.0001", "0.3", places=6) | decimals("0.01", "0.05", places=6))
    shares = draw(st.lists(decimals("0.0001", "0.5", places=6), min_size=1, max_size=most_targets))
    if draw(st.booleans()):
        shares += draw(st.sampled_from([shares[:1], []]))
    trailing = draw(
        st.none()
        | st.builds(Trailing, trigger=decimals("0.1", "500", places=3), callback_rate=decimals("0.1", "10", places=2))
    )
    return Signal(
        side=side,
        order_price=order_price,
        stop=order_price * (1 - side.sign * stop_share),
        stop_type=draw(st.sampled_from(StopType)),
        take_profits=tuple(order_price * (1 + side.sign * share) for share in shares[:most_targets]),
        trailing=trailing,
    )


@st.composite
def accounts(draw: st.DrawFn) -> AccountState:
    wallet = draw(decimals("1000", "5000000", places=8))
    margin = wallet * draw(decimals("0.5", "1.5", places=4))
    return AccountState(
        wallet_balance=wallet,
        margin_balance=margin,
        available_margin=margin * draw(decimals("0.1", "1", places=4)),
        leverage=D(draw(st.integers(1, 125))),
        bracket_notional_cap=draw(st.sampled_from([D(50_000), D(1_000_000), D(300_000_000)])),
        maintenance_margin_rate=draw(st.sampled_from([D("0.004"), D("0.01"), D("0.025"), D("0.1")])),
        margin_mode=draw(st.sampled_from(MarginMode)),
    )


def is_multiple(value: Decimal, step: Decimal) -> bool:
    return not step or (Fraction(value) / Fraction(step)).denominator == 1


def filter_violations(order: PlannedOrder, filters: SymbolFilters) -> list[str]:
    """Return every reason for which the exchange would refuse the order, in exact arithmetic."""
    faults = []
    for name in ("price", "trigger_price", "activation_price"):
        price: Decimal | None = getattr(order, name)
        if price is not None and (price <= 0 or not is_multiple(price, filters.tick_size)):
            faults.append(f"{name} {price}")
    if order.amount is None:
        if not order.close_position:
            faults.append("no amount")
        return faults
    at_market = order.type in {"MARKET", "STOP_MARKET", "TRAILING_STOP_MARKET"}
    step = filters.market_step_size if at_market else filters.step_size
    least = filters.market_min_amount if at_market else filters.min_amount
    most = filters.market_max_amount if at_market else filters.max_amount
    if order.amount <= 0 or not is_multiple(order.amount, step) or order.amount < least:
        faults.append(f"amount {order.amount}")
    if most and order.amount > most:
        faults.append(f"amount {order.amount} is over {most}")
    if order.close_position:
        faults.append("an amount beside closePosition")
    return faults


def plan_violations(plan: ExitPlan, filters: SymbolFilters) -> list[str]:
    return [f"{order.leg}: {fault}" for order in plan.orders for fault in filter_violations(order, filters)]
