"""The record of positions without a stop, read from the exchange's own state. Judges no duration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from local.paper_exchange.accounts import Account
from local.paper_exchange.orders import OrderType, Side
from local.paper_exchange.symbols import Symbol

_STOPS = (OrderType.STOP, OrderType.STOP_MARKET)


@dataclass(slots=True)
class Naked:
    """A time in which an account held a position and no stop, in Unix milliseconds."""

    api_key: str
    symbol: str
    began_ms: int
    by_owner: bool
    ended_ms: int | None = None

    def lasted_ms(self, now_ms: int, *, bans: Sequence[tuple[int, int]] = ()) -> int:
        """Return how long it lasted, without the bans."""
        return without_bans_ms(self.began_ms, self.ended_ms if self.ended_ms is not None else now_ms, bans=bans)


def without_bans_ms(began_ms: int, ended_ms: int, *, bans: Sequence[tuple[int, int]]) -> int:
    """Return how long a time lasted without the bans, in which no request is possible; they may overlap."""
    lasted_ms, at_ms = 0, began_ms
    for from_ms, until_ms in sorted(bans):
        lasted_ms += max(0, min(from_ms, ended_ms) - at_ms)
        at_ms = max(at_ms, until_ms)
    return lasted_ms + max(0, ended_ms - at_ms)


class NakedRecord:
    """Every time in which a position had no stop."""

    def __init__(self) -> None:
        self.times: list[Naked] = []
        self._now: dict[tuple[str, str], Naked] = {}
        self.cancelled_by_owner: dict[tuple[str, str], int] = {}
        """API key and symbol of each position whose stop the owner has cancelled and nobody restored → since when.

        Positions of less than one step are among them.
        """

    def expect_by_owner(self, api_key: str, symbol: str, *, now_ms: int) -> None:
        """Note that the owner is about to cancel the stop."""
        self.cancelled_by_owner.setdefault((api_key, symbol), now_ms)

    def check(self, account: Account, symbol: Symbol, now_ms: int) -> None:
        """Record whether the account's position on the symbol has a stop now.

        Less than one step does not count: no market order can close it, and a stop only ahead of the market.
        """
        key, amount = (account.api_key, symbol.name), account.position(symbol.name).amount
        naked = self._now.get(key)
        unprotected = bool(amount) and not is_protected(account, symbol.name, amount)
        if not unprotected:
            self.cancelled_by_owner.pop(key, None)
        if unprotected and abs(amount) >= symbol.step:
            if naked is None:
                naked = self._now[key] = Naked(*key, now_ms, by_owner=key in self.cancelled_by_owner)
                self.times.append(naked)
        elif naked is not None:
            naked.ended_ms = now_ms
            del self._now[key]


def is_protected(account: Account, symbol: str, amount: Decimal) -> bool:
    """Return whether a stop stands that closes the whole amount."""
    closing = Side.SELL if amount > 0 else Side.BUY
    return any(
        algo.order_type in _STOPS and algo.side is closing and (algo.close_position or algo.quantity >= abs(amount))
        for algo in account.open_algos(symbol)
    )
