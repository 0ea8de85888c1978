"""Margin, cross and isolated: of positions and orders, what is available, liquidation. Changes nothing.

As in the exchange's single-asset mode, a contract's margin, profit and fees are in its quote asset, each by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from local.paper_exchange.accounts import Account
from local.paper_exchange.listing import EVERY_SYMBOL
from local.paper_exchange.orders import ZERO, Position, PositionSide, Side
from local.paper_exchange.refusals import Refusal
from local.paper_exchange.venue import Venue

MARGIN_ASSET = "USDT"
"""The margin of most contracts, and the asset of an account's totals."""


def margin_asset(symbol: str) -> str:
    """Return the asset of a symbol's margin, profit and fees."""
    return EVERY_SYMBOL[symbol].quote if symbol else MARGIN_ASSET


@dataclass(frozen=True)
class IsolatedSummary:
    """The part of an account's margin that belongs to isolated positions."""

    wallet: Decimal
    unrealized: Decimal
    initial: Decimal
    maintenance: Decimal


@dataclass(frozen=True)
class MarginSummary:
    """An account's margin in one asset; isolated positions are part of the totals."""

    wallet: Decimal
    unrealized: Decimal
    position_initial: Decimal
    order_initial: Decimal
    maintenance: Decimal
    isolated: IsolatedSummary

    @property
    def margin_balance(self) -> Decimal:
        """Return the wallet balance plus the open positions' profit."""
        return self.wallet + self.unrealized

    @property
    def initial(self) -> Decimal:
        """Return the initial margin of positions and orders."""
        return self.position_initial + self.order_initial

    @property
    def available(self) -> Decimal:
        """Return the margin that is left for new orders."""
        return max(ZERO, self.cross_balance - (self.initial - self.isolated.initial))

    @property
    def cross_wallet(self) -> Decimal:
        """Return the wallet without what isolated positions hold of it."""
        return self.wallet - self.isolated.wallet

    @property
    def cross_unrealized(self) -> Decimal:
        """Return the profit of the positions that share the wallet."""
        return self.unrealized - self.isolated.unrealized

    @property
    def cross_balance(self) -> Decimal:
        """Return what the positions that share the wallet may lose."""
        return self.cross_wallet + self.cross_unrealized

    @property
    def cross_maintenance(self) -> Decimal:
        """Return the balance below which the positions that share the wallet are liquidated."""
        return self.maintenance - self.isolated.maintenance


@dataclass(frozen=True)
class Addition:
    """A new order's contribution to the margin."""

    side: Side
    position_side: PositionSide
    notional_usdt: Decimal


def unrealized(venue: Venue, position: Position) -> Decimal:
    """Return the position's profit at the mark price."""
    return (venue.quotes[position.symbol].mark - position.entry_price) * position.amount


def maintenance(venue: Venue, position: Position) -> Decimal:
    """Return the margin below which the position is liquidated."""
    notional = abs(position.amount) * venue.quotes[position.symbol].mark
    bracket = EVERY_SYMBOL[position.symbol].bracket_for(notional)
    return max(ZERO, notional * bracket.maintenance_rate - bracket.cum_usdt)


def exposures(
    venue: Venue, account: Account, symbol: str, addition: Addition | None = None
) -> tuple[Decimal, Decimal, Decimal]:
    """Return (held, worst if the buys fill, worst if the sells fill), each an absolute notional.

    In hedge mode both sides add up, since neither nets the other.
    """
    mark = venue.quotes[symbol].mark
    working = [
        Addition(order.side, order.position_side, order.price * order.remaining)
        for order in account.open_orders(symbol)
        if not order.reduce_only
    ]
    if addition is not None:
        working.append(addition)
    if account.is_hedge_mode:
        held = sum((abs(position.amount) * mark for position in account.held_positions(symbol)), ZERO)
        opening = sum((order.notional_usdt for order in working if _opens(order)), ZERO)
        return held, held + opening, held + opening
    net = account.position(symbol).amount * mark
    buys = sum((order.notional_usdt for order in working if order.side is Side.BUY), ZERO)
    sells = sum((order.notional_usdt for order in working if order.side is Side.SELL), ZERO)
    return abs(net), abs(net + buys), abs(net - sells)


def _opens(order: Addition) -> bool:
    return (order.side is Side.BUY) == (order.position_side is PositionSide.LONG)


def symbol_initial(
    venue: Venue, account: Account, symbol: str, addition: Addition | None = None
) -> tuple[Decimal, Decimal]:
    """Return the initial margin of the symbol's position, and the further margin of its orders."""
    held, buys, sells = exposures(venue, account, symbol, addition)
    leverage = account.leverage(symbol)
    return held / leverage, (max(held, buys, sells) - held) / leverage


def summarise(venue: Venue, account: Account, asset: str = MARGIN_ASSET) -> MarginSummary:
    """Add up the account over all symbols whose margin is in this asset."""
    positions = [position for position in account.held_positions() if margin_asset(position.symbol) == asset]
    symbols = {position.symbol for position in positions}
    symbols.update(order.symbol for order in account.open_orders() if margin_asset(order.symbol) == asset)
    position_initial = order_initial = ZERO
    for symbol in symbols:
        held, on_top = symbol_initial(venue, account, symbol)
        position_initial += held
        order_initial += on_top
    isolated = [position for position in positions if position.symbol in account.isolated_symbols]
    return MarginSummary(
        wallet=account.balances.get(asset, ZERO),
        unrealized=sum((unrealized(venue, position) for position in positions), ZERO),
        position_initial=position_initial,
        order_initial=order_initial,
        maintenance=sum((maintenance(venue, position) for position in positions), ZERO),
        isolated=IsolatedSummary(
            wallet=sum((position.isolated_wallet for position in isolated), ZERO),
            unrealized=sum((unrealized(venue, position) for position in isolated), ZERO),
            initial=sum(
                (symbol_initial(venue, account, name)[0] for name in {position.symbol for position in isolated}), ZERO
            ),
            maintenance=sum((maintenance(venue, position) for position in isolated), ZERO),
        ),
    )


def isolated_balance(venue: Venue, position: Position) -> Decimal:
    """Return what an isolated position may lose."""
    return position.isolated_wallet + unrealized(venue, position)


def check_affordable(venue: Venue, account: Account, symbol: str, addition: Addition) -> None:
    """Refuse an order beyond the margin (-2019) or the leverage's bracket (-2027), unless it reduces."""
    before = sum(symbol_initial(venue, account, symbol))
    after = sum(symbol_initial(venue, account, symbol, addition))
    if after <= before:
        return
    exposure = max(exposures(venue, account, symbol, addition))
    if exposure > EVERY_SYMBOL[symbol].max_notional(account.leverage(symbol)):
        raise Refusal(-2027)
    # As on the exchange, the margin must also cover the fee.
    fee = addition.notional_usdt * account.taker_fee
    if after - before + fee > summarise(venue, account, margin_asset(symbol)).available:
        raise Refusal(-2019)


def liquidation_price(venue: Venue, account: Account, position: Position) -> Decimal:
    """Return the mark price at which the position is liquidated, other prices unchanged; 0 if there is none."""
    if not position.amount:
        return ZERO
    summary = summarise(venue, account, margin_asset(position.symbol))
    mark = venue.quotes[position.symbol].mark
    size = abs(position.amount)
    sign = 1 if position.amount > 0 else -1
    bracket = EVERY_SYMBOL[position.symbol].bracket_for(size * mark)
    if position.symbol in account.isolated_symbols:
        cushion = position.isolated_wallet + bracket.cum_usdt
    else:
        others_profit = summary.cross_unrealized - unrealized(venue, position)
        others_maintenance = summary.cross_maintenance - maintenance(venue, position)
        cushion = summary.cross_wallet + others_profit - others_maintenance + bracket.cum_usdt
    price = (cushion - sign * size * position.entry_price) / (size * (bracket.maintenance_rate - sign))
    return max(ZERO, price)
