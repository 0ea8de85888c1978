"""The symbols: Binance's filters for a dozen of them, and their start prices. Checks nothing (see filters.py)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

TAKER_FEE = Decimal("0.0004")
MAKER_FEE = Decimal("0.0002")
SPOT_FEE = Decimal("0.001")

NEVER_MS = 4_133_404_800_000
"""The date of delivery that the exchange gives a perpetual."""

MAX_OPEN_ORDERS = 200
MAX_OPEN_ALGO_ORDERS = 10
MAX_BATCH = 5


@dataclass(frozen=True)
class Bracket:
    """One step of the leverage table: up to `cap_usdt` of notional at `leverage`."""

    leverage: int
    floor_usdt: Decimal
    cap_usdt: Decimal
    maintenance_rate: Decimal
    cum_usdt: Decimal


@dataclass(frozen=True)
class SpotFilters:
    """The same pair's filters on the spot market."""

    tick: Decimal
    step: Decimal
    max_amount: Decimal
    min_notional_usdt: Decimal = Decimal(5)


@dataclass(frozen=True)
class Symbol:
    """A USD-M contract, and for a dozen perpetuals the spot pair of the same name."""

    name: str
    base: str
    start_price: Decimal
    price_digits: int
    amount_digits: int
    tick: Decimal
    step: Decimal
    min_price: Decimal
    max_price: Decimal
    max_amount: Decimal
    max_market_amount: Decimal
    min_notional_usdt: Decimal
    percent_band: Decimal
    brackets: tuple[Bracket, ...]
    spot: SpotFilters
    quote: str = "USDT"
    pair: str = ""
    contract_type: str = "PERPETUAL"
    underlying_type: str = "COIN"
    delivery_ms: int = NEVER_MS
    status: str = "TRADING"

    @property
    def is_dated(self) -> bool:
        """Return whether the contract is delivered at a date."""
        return self.delivery_ms != NEVER_MS

    @property
    def min_amount(self) -> Decimal:
        """Return the smallest quantity: one step, on every symbol listed here."""
        return self.step

    @property
    def multiplier_up(self) -> Decimal:
        """Return PERCENT_PRICE's upper factor on the mark price."""
        return 1 + self.percent_band

    @property
    def multiplier_down(self) -> Decimal:
        """Return PERCENT_PRICE's lower factor on the mark price."""
        return 1 - self.percent_band

    @cached_property
    def max_leverage(self) -> int:
        """Return the highest leverage of the first bracket."""
        return self.brackets[0].leverage

    def bracket_for(self, notional_usdt: Decimal) -> Bracket:
        """Return the bracket of a position of this size; the last one has no cap."""
        for bracket in self.brackets:
            if notional_usdt <= bracket.cap_usdt:
                return bracket
        return self.brackets[-1]

    def max_notional(self, leverage: int) -> Decimal:
        """Return the largest position in USDT at this leverage."""
        return max(
            (bracket.cap_usdt for bracket in self.brackets if bracket.leverage >= leverage),
            default=Decimal(0),
        )


def _brackets(*rows: tuple[int, int, str]) -> tuple[Bracket, ...]:
    """Build the table from (leverage, cap, maintenance rate), computing the floors and the maintenance amounts."""
    brackets: list[Bracket] = []
    floor, cum, last_rate = Decimal(0), Decimal(0), None
    for leverage, cap, rate_text in rows:
        rate = Decimal(rate_text)
        if last_rate is not None:
            cum += floor * (rate - last_rate)
        brackets.append(Bracket(leverage, floor, Decimal(cap), rate, cum))
        floor, last_rate = Decimal(cap), rate
    return tuple(brackets)


_MAJOR = _brackets(
    (125, 300_000, "0.004"),
    (100, 800_000, "0.005"),
    (75, 3_000_000, "0.0065"),
    (50, 12_000_000, "0.01"),
    (25, 70_000_000, "0.02"),
    (20, 100_000_000, "0.025"),
    (10, 230_000_000, "0.05"),
    (5, 480_000_000, "0.1"),
    (4, 600_000_000, "0.125"),
    (3, 800_000_000, "0.15"),
    (2, 1_200_000_000, "0.25"),
    (1, 1_800_000_000, "0.5"),
)
ALT_BRACKETS = _brackets(
    (75, 25_000, "0.0065"),
    (50, 250_000, "0.01"),
    (25, 1_000_000, "0.02"),
    (20, 2_500_000, "0.025"),
    (10, 5_000_000, "0.05"),
    (5, 10_000_000, "0.1"),
    (4, 12_500_000, "0.125"),
    (2, 25_000_000, "0.25"),
    (1, 50_000_000, "0.5"),
)


def _symbol(
    base: str,
    price: str,
    *,
    tick: str,
    step: str,
    prices: tuple[str, str],
    amounts: tuple[int, int],
    min_notional: int,
    spot: tuple[str, str, int],
    band: str = "0.05",
    digits: tuple[int, int],
    brackets: tuple[Bracket, ...] = ALT_BRACKETS,
) -> Symbol:
    return Symbol(
        name=f"{base}USDT",
        base=base,
        start_price=Decimal(price),
        price_digits=digits[0],
        amount_digits=digits[1],
        tick=Decimal(tick),
        step=Decimal(step),
        min_price=Decimal(prices[0]),
        max_price=Decimal(prices[1]),
        max_amount=Decimal(amounts[0]),
        max_market_amount=Decimal(amounts[1]),
        min_notional_usdt=Decimal(min_notional),
        percent_band=Decimal(band),
        brackets=brackets,
        spot=SpotFilters(Decimal(spot[0]), Decimal(spot[1]), Decimal(spot[2])),
    )


# fmt: off
_ALL = (
    _symbol("BTC", "20000", tick="0.10", step="0.001", prices=("261.10", "809484"), amounts=(1000, 120),
            min_notional=100, spot=("0.01", "0.00001", 9000), digits=(2, 3), brackets=_MAJOR),
    _symbol("ETH", "1500", tick="0.01", step="0.001", prices=("18.67", "306177"), amounts=(10000, 2000),
            min_notional=20, spot=("0.01", "0.0001", 9000), digits=(2, 3), brackets=_MAJOR),
    _symbol("BNB", "300", tick="0.010", step="0.01", prices=("6.600", "100000"), amounts=(100000, 2000),
            min_notional=5, spot=("0.01", "0.001", 90000), digits=(3, 2)),
    _symbol("SOL", "35", tick="0.0100", step="0.01", prices=("0.4200", "6857"), amounts=(1000000, 5000),
            min_notional=5, spot=("0.01", "0.001", 90000), digits=(4, 2)),
    _symbol("XRP", "0.5", tick="0.0001", step="0.1", prices=("0.0143", "100000"), amounts=(10000000, 2000000),
            min_notional=5, spot=("0.0001", "0.1", 9222449), digits=(4, 1)),
    _symbol("ADA", "0.45", tick="0.00010", step="1", prices=("0.01740", "177"), amounts=(2000000, 300000),
            min_notional=5, spot=("0.0001", "0.1", 900000), digits=(5, 0)),
    _symbol("DOGE", "0.062", tick="0.000010", step="1", prices=("0.002440", "30"), amounts=(50000000, 30000000),
            min_notional=5, spot=("0.00001", "1", 9000000), digits=(6, 0), band="0.10"),
    _symbol("LTC", "55", tick="0.01", step="0.001", prices=("3.61", "100000"), amounts=(10000, 5000),
            min_notional=20, spot=("0.01", "0.001", 90000), digits=(2, 3)),
    _symbol("LINK", "7.5", tick="0.001", step="0.01", prices=("0.420", "100000"), amounts=(200000, 20000),
            min_notional=20, spot=("0.01", "0.01", 90000), digits=(3, 2)),
    _symbol("DOT", "7", tick="0.001", step="0.1", prices=("0.280", "100000"), amounts=(1000000, 50000),
            min_notional=5, spot=("0.001", "0.01", 90000), digits=(3, 1)),
    _symbol("AVAX", "19", tick="0.0010", step="1", prices=("0.2770", "10000"), amounts=(5000000, 50000),
            min_notional=5, spot=("0.01", "0.01", 90000), digits=(4, 0)),
    _symbol("MATIC", "0.8", tick="0.00010", step="1", prices=("0.00800", "1000"), amounts=(2000000, 500000),
            min_notional=5, spot=("0.0001", "0.1", 900000), digits=(5, 0)),
    _symbol("POL", "0.5", tick="0.00001", step="1", prices=("0.01000", "1000"), amounts=(2000000, 500000),
            min_notional=5, spot=("0.0001", "0.1", 900000), digits=(5, 0)),
)
# fmt: on

SYMBOLS: dict[str, Symbol] = {symbol.name: symbol for symbol in _ALL}
