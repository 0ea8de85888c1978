"""Calculates an entry's amount from its risk, or denies the order. Reads and sends nothing."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from shared.errors import OrderDenied
from shared.trading.arithmetic import exact
from shared.trading.entry_price import MarketPrices, entry_bound
from shared.trading.entry_settings import PROFILE_ALONE, BelowMinimum, EntrySettings, SizingType
from shared.trading.execution import DenialReason
from shared.trading.filters import Rounding, SymbolFilters, round_down, round_price, round_up
from shared.trading.order_planning import stop_prices
from shared.trading.risk import risk_budget, worst_loss_at_stops
from shared.trading.sides import Side
from shared.trading.signal import Signal, is_losing

# The rest of the available margin is left for fees and for price changes between the read and the fill.
AVAILABLE_MARGIN_SHARE = Decimal("0.95")
# Share of the notional: the fees of entry and exit, deducted from the collateral in the estimate of liquidation.
FEE_ALLOWANCE = Decimal("0.001")
# So many times the profile's percentage is more than an entry of the exchange's minimum may lose.
MINIMUM_RISK_FACTOR = 2


class MarginMode(StrEnum):
    """The collateral of a position: the whole account, or its own initial margin."""

    CROSS = "CROSS"
    ISOLATED = "ISOLATED"


class Cap(StrEnum):
    """A limit that made an order smaller than its sizing asks for."""

    AVAILABLE_MARGIN = "AVAILABLE_MARGIN"
    LEVERAGE_BRACKET = "LEVERAGE_BRACKET"
    EFFECTIVE_LEVERAGE = "EFFECTIVE_LEVERAGE"
    MAX_AMOUNT = "MAX_AMOUNT"
    """The exchange's largest order."""
    RISK_BUDGET = "RISK_BUDGET"
    """The profile's percentage, where another sizing asks for more."""
    MAX_NOTIONAL = "MAX_NOTIONAL"
    """The follower's own."""
    MAX_LEVERAGE = "MAX_LEVERAGE"
    """The follower's own."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """The margin asset's balances and the symbol's leverage, read before the entry.

    `maintenance_margin_rate` is a fraction (0.004 is 0.4 %), of the highest leverage bracket that the order could
    reach. The brackets' deductions are ignored on purpose, so that liquidation is estimated too early rather than too
    late.
    """

    wallet_balance: Decimal
    margin_balance: Decimal
    available_margin: Decimal
    leverage: Decimal
    bracket_notional_cap: Decimal
    maintenance_margin_rate: Decimal
    margin_mode: MarginMode = MarginMode.CROSS

    @property
    def equity(self) -> Decimal:
        """The base of the risk: it includes unrealised losses, but no unrealised profit."""
        return min(self.wallet_balance, self.margin_balance)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingRules:
    """What an entry may risk, pay and hold."""

    risk_pct: Decimal
    """Of equity, lost at the stop with fees: more than 0, at most 100."""
    taker_rate: Decimal
    """The account's fee, a share of the notional, for each way."""
    allowance_pct: Decimal
    """How far the entry may fill beyond its reference price, in percent."""
    max_effective_leverage: Decimal
    chosen: EntrySettings = PROFILE_ALONE
    """The follower's own settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedPart:
    """The part of an entry that has filled, when what it left is sized."""

    amount: Decimal
    price: Decimal
    """The average of its fills."""
    unfilled: Decimal
    """What the entry left: the most that is still wanted."""


@dataclass(frozen=True, slots=True)
class SizedOrder:
    """An entry's amount and how it was calculated."""

    amount: Decimal
    bound: Decimal
    """The worst price at which it may fill: its limit."""
    notional_usdt: Decimal
    """At the highest of order price, market prices and bound, as for the caps."""
    equity: Decimal
    risk_usdt: Decimal
    """The loss at the last stop leg if all of it fills at the bound, with the fees of both ways."""
    caps: tuple[Cap, ...]
    """All caps below the amount that the sizing asks for, the lowest first."""
    liquidation_price: Decimal | None
    """A conservative estimate; None if no price above 0 liquidates the position."""
    at_minimum: bool = False
    """Whether it is the exchange's minimum, because the sizing asked for less; it may lose more than the percentage."""


_NOTHING_OPENED = OpenedPart(amount=Decimal(0), price=Decimal(0), unfilled=Decimal("Infinity"))


def size_order(
    *,
    signal: Signal,
    account: AccountState,
    filters: SymbolFilters,
    rules: SizingRules,
    prices: MarketPrices,
    opened: OpenedPart | None = None,
) -> SizedOrder:
    """Return the amount that loses at most the percentage of equity at the last stop leg, or raise OrderDenied.

    The follower's settings may ask for less. Where they choose the exchange's minimum instead of nothing, that loses
    less than twice the percentage.

    Of an entry that has `opened` a part, return what is left of it: the whole position loses at most the percentage,
    and stays within every limit, with `account` as it was before the entry.

    The order fills at its bound or better. So risk and liquidation are measured from the bound, with the taker's fees
    of both ways, and limits of the notional use the highest price. A limit stop is as wide as its backstop, which
    closes at any price.
    """
    if not 0 < rules.risk_pct <= 100:  # noqa: PLR2004
        raise ValueError("risk_pct must be more than 0 and at most 100")
    if rules.taker_rate <= 0:
        raise ValueError("no order is sized without a fee")
    with exact():
        deny_crossed_stop(signal, filters=filters, market_price=prices.last)
        if account.equity <= 0:
            raise OrderDenied(DenialReason.NO_EQUITY, f"equity is {account.equity:f}")
        if account.available_margin <= 0:
            raise OrderDenied(DenialReason.NO_AVAILABLE_MARGIN, f"available margin is {account.available_margin:f}")

        bound = entry_bound(
            side=signal.side,
            order_price=signal.order_price,
            prices=prices,
            allowance_pct=rules.allowance_pct,
            filters=filters,
        )
        if not is_losing(signal.side, price=stop_prices(signal, filters=filters).trigger, reference=bound):
            raise OrderDenied(DenialReason.STOP_CROSSED, f"the entry may pay {bound:f} at most")
        # The stop as requested counts too: rounding to the tick moves it towards the entry.
        stops = (signal.stop, stop_prices(signal, filters=filters).last)
        equity = account.equity

        def loss(amount: Decimal, price: Decimal) -> Decimal:
            return worst_loss_at_stops(
                side=signal.side, amount=amount, entry_price=price, stop_prices=stops, taker_rate=rules.taker_rate
            )

        unit_loss = loss(Decimal(1), bound)
        opened = opened or _NOTHING_OPENED
        whole_budget = risk_budget(equity=equity, risk_pct=rules.risk_pct)
        budget = whole_budget - loss(opened.amount, opened.price)
        within_budget = round_down(max(budget, Decimal(0)) / unit_loss, filters.entry_step)
        highest_price = max(signal.order_price, bound, prices.last, prices.bid, prices.ask)
        limits = _limits(
            account, filters=filters, rules=rules, highest_price=highest_price, opened_amount=opened.amount
        )
        chosen = _chosen_notional(rules.chosen, equity=equity)
        if chosen is None:
            asked = within_budget
        else:
            asked = round_down(max(chosen / highest_price - opened.amount, Decimal(0)), filters.entry_step)
        wanted = min(asked, opened.unfilled)
        within = limits if chosen is None else limits | {Cap.RISK_BUDGET: within_budget}
        caps = tuple(sorted((cap for cap, limit in within.items() if limit < wanted), key=within.__getitem__))
        amount = min(wanted, *within.values())
        least = _least_amount(filters, price=bound)
        at_minimum = (
            amount < least
            and rules.chosen.below_minimum is BelowMinimum.MINIMUM
            and not opened.amount
            and least <= min(limits.values())
            and loss(least, bound) < MINIMUM_RISK_FACTOR * whole_budget
        )
        if at_minimum:
            amount, caps = least, ()
        _deny_below_minimum(amount, filters=filters, price=bound, caps=caps)

        liquidation_price = estimate_liquidation(
            account,
            side=signal.side,
            amount=amount + opened.amount,
            entry_price=(amount * bound + opened.amount * opened.price) / (amount + opened.amount),
        )
        if liquidation_price is not None:
            towards_entry = Rounding.UP if signal.side is Side.BUY else Rounding.DOWN
            liquidation_price = round_price(liquidation_price, filters.tick_size, towards_entry)
        _deny_unreachable_stop(signal, filters=filters, liquidation_price=liquidation_price)
        return SizedOrder(
            amount=amount,
            bound=bound,
            notional_usdt=amount * highest_price,
            equity=equity,
            risk_usdt=amount * unit_loss,
            caps=caps,
            liquidation_price=liquidation_price,
            at_minimum=at_minimum,
        )


def estimate_liquidation(account: AccountState, *, side: Side, amount: Decimal, entry_price: Decimal) -> Decimal | None:
    """Return the earliest price of liquidation, or None if no price above 0 liquidates the position.

    On cross margin only the available margin counts as collateral: other positions may lose the rest.
    """
    with exact():
        notional = amount * entry_price
        collateral = notional / account.leverage
        if account.margin_mode is MarginMode.CROSS:
            collateral = min(account.equity, account.available_margin)
        collateral = max(collateral - notional * FEE_ALLOWANCE, Decimal(0))
        # Liquidation is where collateral + sign * amount * (price - entry) = rate * amount * price.
        sign = side.sign
        price = (entry_price - sign * collateral / amount) / (1 - sign * account.maintenance_margin_rate)
        return price if price > 0 else None


def _limits(
    account: AccountState,
    *,
    filters: SymbolFilters,
    rules: SizingRules,
    highest_price: Decimal,
    opened_amount: Decimal,
) -> dict[Cap, Decimal]:
    notionals = {
        Cap.AVAILABLE_MARGIN: account.available_margin * AVAILABLE_MARGIN_SHARE * account.leverage,
        Cap.LEVERAGE_BRACKET: account.bracket_notional_cap,
        Cap.EFFECTIVE_LEVERAGE: account.equity * rules.max_effective_leverage,
    }
    if rules.chosen.max_notional is not None:
        notionals[Cap.MAX_NOTIONAL] = rules.chosen.max_notional
    if rules.chosen.max_leverage is not None:
        notionals[Cap.MAX_LEVERAGE] = account.equity * rules.chosen.max_leverage
    amounts = {cap: max(notional / highest_price - opened_amount, Decimal(0)) for cap, notional in notionals.items()}
    if filters.entry_max is not None:  # of one order, whatever is open
        amounts[Cap.MAX_AMOUNT] = filters.entry_max
    return {cap: round_down(amount, filters.entry_step) for cap, amount in amounts.items()}


def _chosen_notional(chosen: EntrySettings, *, equity: Decimal) -> Decimal | None:
    """Return the notional that the follower's sizing asks for; None where the risk alone decides."""
    if chosen.value is None:
        return None
    return equity * chosen.value / 100 if chosen.sizing is SizingType.EQUITY else chosen.value


def _least_amount(filters: SymbolFilters, *, price: Decimal) -> Decimal:
    """Return the smallest entry that the exchange takes at a price."""
    return round_up(max(filters.entry_min, filters.min_notional / price), filters.entry_step)


def deny_crossed_stop(signal: Signal, *, filters: SymbolFilters, market_price: Decimal) -> None:
    """Raise OrderDenied when the stop, as it would be placed, is not beyond the order price and the market's price."""
    placed = stop_prices(signal, filters=filters).trigger
    for name, price in (("order", signal.order_price), ("market", market_price)):
        if not is_losing(signal.side, price=placed, reference=price):
            raise OrderDenied(DenialReason.STOP_CROSSED, f"stop {placed:f}, {name} price {price:f}")


def _deny_below_minimum(amount: Decimal, *, filters: SymbolFilters, price: Decimal, caps: tuple[Cap, ...]) -> None:
    capped = f", capped by {caps[0]}" if caps else ""
    if amount <= 0 or amount < filters.entry_min:
        raise OrderDenied(DenialReason.BELOW_MINIMUM, f"amount {amount:f} of at least {filters.entry_min:f}{capped}")
    # The exchange calculates a limit order's notional at its limit.
    notional = amount * price
    if notional < filters.min_notional:
        raise OrderDenied(
            DenialReason.BELOW_MINIMUM, f"notional {notional:f} of at least {filters.min_notional:f}{capped}"
        )


def _deny_unreachable_stop(signal: Signal, *, filters: SymbolFilters, liquidation_price: Decimal | None) -> None:
    # For a limit stop, the backstop must trigger before liquidation.
    last_stop = stop_prices(signal, filters=filters).last
    if liquidation_price is not None and not is_losing(signal.side, price=liquidation_price, reference=last_stop):
        raise OrderDenied(
            DenialReason.STOP_BEHIND_LIQUIDATION, f"stop {last_stop:f}, liquidation near {liquidation_price:f}"
        )
