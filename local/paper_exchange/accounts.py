"""An account and its keys: balances, positions, orders, settings. Places and fills nothing (see matching.py)."""

from __future__ import annotations

import hashlib
import string
from dataclasses import dataclass, field
from decimal import Decimal

from local.paper_exchange.orders import (
    ZERO,
    AlgoOrder,
    AlgoStatus,
    Income,
    Order,
    Position,
    PositionSide,
    Side,
    Trade,
    Wallet,
)
from local.paper_exchange.symbols import MAKER_FEE, TAKER_FEE

DEFAULT_LEVERAGE = 20


@dataclass(slots=True)
class Permissions:
    """The key's permissions. `can_withdraw` is the key's own; the account itself can always withdraw."""

    can_trade: bool = True
    can_read: bool = True
    can_withdraw: bool = False
    enable_futures: bool = True
    enable_spot: bool = True
    enable_portfolio_margin: bool = False
    ip_restricted: bool = True


@dataclass(slots=True)
class SpotBalance:
    """One asset of the spot wallet."""

    free: Decimal = ZERO
    locked: Decimal = ZERO


@dataclass(slots=True)
class FurtherKey:
    """Another key of an account that exists, with a secret and permissions of its own."""

    api_key: str
    secret: str
    owner: str
    """The first key of the account."""
    created_ms: int
    permissions: Permissions = field(default_factory=Permissions)


@dataclass(slots=True)
class Account:
    """All data of one account, and its first key."""

    api_key: str
    secret: str
    created_ms: int
    permissions: Permissions = field(default_factory=Permissions)
    balances: dict[str, Decimal] = field(default_factory=dict)
    spot_balances: dict[str, SpotBalance] = field(default_factory=dict)
    is_hedge_mode: bool = False
    is_multi_assets: bool = False
    pays_fees_in_bnb: bool = False
    default_leverage: int = DEFAULT_LEVERAGE
    leverages: dict[str, int] = field(default_factory=dict)
    isolated_symbols: set[str] = field(default_factory=set)
    positions: dict[str, Position] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    algos: dict[int, AlgoOrder] = field(default_factory=dict)
    open_order_ids: dict[int, None] = field(default_factory=dict)
    open_algo_ids: dict[int, None] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    incomes: list[Income] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    has_signed_tradfi: bool = True
    maker_fee: Decimal = MAKER_FEE
    taker_fee: Decimal = TAKER_FEE

    @property
    def alias(self) -> str:
        """Return the name of the account in its balances, the same through each of its keys."""
        letters = string.ascii_letters
        return "".join(letters[byte % len(letters)] for byte in hashlib.sha256(self.api_key.encode()).digest()[:12])

    @property
    def uid(self) -> int:
        """Return the number of the account on spot, the same through each of its keys."""
        return int.from_bytes(hashlib.sha256(self.api_key.encode()).digest()[12:16], "big")

    def leverage(self, symbol: str) -> int:
        """Return the leverage set for the symbol."""
        return self.leverages.get(symbol, self.default_leverage)

    def position(self, symbol: str, position_side: PositionSide = PositionSide.BOTH) -> Position:
        """Return the position, a flat one where there is none yet."""
        key = symbol if position_side is PositionSide.BOTH else f"{symbol}:{position_side}"
        position = self.positions.get(key)
        if position is None:
            position = self.positions[key] = Position(symbol, position_side)
        return position

    def held_or_flat(self, symbol: str, position_side: PositionSide) -> Position:
        """Return the position, or a flat one that is not stored."""
        key = symbol if position_side is PositionSide.BOTH else f"{symbol}:{position_side}"
        return self.positions.get(key) or Position(symbol, position_side)

    def held_positions(self, symbol: str | None = None) -> list[Position]:
        """Return the positions that are not flat."""
        return [
            position
            for position in self.positions.values()
            if position.amount and (symbol is None or position.symbol == symbol)
        ]

    def closable(self, symbol: str, side: Side, position_side: PositionSide) -> Decimal:
        """Return the amount by which an order of this side could reduce its position, 0 if it could only add."""
        key = symbol if position_side is PositionSide.BOTH else f"{symbol}:{position_side}"
        position = self.positions.get(key)
        if position is None:
            return ZERO
        return max(ZERO, -position.amount * side.sign)

    def open_orders(self, symbol: str | None = None, wallet: Wallet = Wallet.FUTURES) -> list[Order]:
        """Return the resting regular orders of a wallet, oldest first."""
        found = (self.orders[order_id] for order_id in self.open_order_ids)
        return [order for order in found if order.wallet is wallet and (symbol is None or order.symbol == symbol)]

    def open_algos(self, symbol: str | None = None) -> list[AlgoOrder]:
        """Return the algo orders that wait for their trigger, oldest first."""
        found = (self.algos[algo_id] for algo_id in self.open_algo_ids)
        return [algo for algo in found if symbol is None or algo.symbol == symbol]

    def find_order(self, wallet: Wallet, *, order_id: int | None, client_order_id: str | None) -> Order | None:
        """Return the order of that id, else the newest of that client id; ids of the exchange win."""
        if order_id is not None:
            order = self.orders.get(order_id)
            return order if order is not None and order.wallet is wallet else None
        for order in reversed(self.orders.values()):
            if order.client_order_id == client_order_id and order.wallet is wallet:
                return order
        return None

    def find_algo(self, *, algo_id: int | None, client_algo_id: str | None) -> AlgoOrder | None:
        """Return the algo order of that id, else the newest of that client id."""
        if algo_id is not None:
            return self.algos.get(algo_id)
        for algo in reversed(self.algos.values()):
            if algo.client_algo_id == client_algo_id:
                return algo
        return None

    def add_order(self, order: Order) -> None:
        """Store the order, and list it while it is open."""
        self.orders[order.order_id] = order
        if order.status.is_open:
            self.open_order_ids[order.order_id] = None

    def add_algo(self, algo: AlgoOrder) -> None:
        """Store the algo order, and list it while it waits for its trigger."""
        self.algos[algo.algo_id] = algo
        if algo.status is AlgoStatus.NEW:
            self.open_algo_ids[algo.algo_id] = None
