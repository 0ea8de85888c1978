"""The request limits: weight per address and minute, orders per account, 429 and then 418. Answers nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from local.paper_exchange.calls import Route
from local.paper_exchange.refusals import Refusal
from local.paper_exchange.venue import Settings

_MINUTE_MS = 60_000
"""Also the default window of the weights, which `weight_window_ms` shortens."""
_TEN_SECONDS_MS = 10_000


@dataclass(slots=True)
class _Window:
    """A count that is reset with each window of the clock."""

    length_ms: int
    started: int = -1
    used: int = 0

    def add(self, amount: int, now_ms: int) -> int:
        window = now_ms // self.length_ms
        if window != self.started:
            self.started, self.used = window, 0
        self.used += amount
        return self.used

    def left_s(self, now_ms: int) -> int:
        """Return the whole seconds until the next window, at least 1."""
        return -(-(self.length_ms - now_ms % self.length_ms) // 1000)


class Pool(StrEnum):
    """The API whose weight a request uses up."""

    FUTURES = "/fapi"
    SPOT = "/api"
    WALLET = "/sapi"


@dataclass(slots=True)
class _Address:
    weight: _Window = field(default_factory=lambda: _Window(_MINUTE_MS))
    refusals: _Window = field(default_factory=lambda: _Window(_MINUTE_MS))
    banned_until_ms: int = 0


@dataclass(slots=True)
class _OrderCounts:
    ten_seconds: _Window = field(default_factory=lambda: _Window(_TEN_SECONDS_MS))
    minute: _Window = field(default_factory=lambda: _Window(_MINUTE_MS))


class RequestLimits:
    """Counts the weight of each address and the orders of each account."""

    def __init__(self) -> None:
        self._addresses: dict[tuple[str, Pool], _Address] = {}
        self._orders: dict[str, _OrderCounts] = {}

    def take_weight(self, address: str, pool: Pool, weight: int, *, settings: Settings, now_ms: int) -> int:
        """Add the weight; return the minute's total. Refuse above the limit (429), then ban the address (418)."""
        entry = self._addresses.get((address, pool))
        if entry is None:
            entry = self._addresses[address, pool] = _Address()
        entry.weight.length_ms = settings.weight_window_ms
        used = entry.weight.add(weight, now_ms)
        if not settings.limits_enabled:
            return used
        if now_ms < entry.banned_until_ms:
            raise _banned(entry.banned_until_ms, now_ms)
        limit = _limit(pool, settings)
        if used > limit and (weight or settings.refuse_orders_over_limit):
            if entry.refusals.add(1, now_ms) > settings.ban_after_refusals:
                entry.banned_until_ms = now_ms + settings.ban_s * 1000
                raise _banned(entry.banned_until_ms, now_ms)
            raise Refusal(-1003, limit, retry_after_s=entry.weight.left_s(now_ms))
        return used

    def ban(self, address: str, *, until_ms: int) -> None:
        """Ban an address from every API until then."""
        for pool in Pool:
            self._addresses.setdefault((address, pool), _Address()).banned_until_ms = until_ms

    def used_weights(self, now_ms: int) -> dict[str, int]:
        """Return the weight that each address has used of the futures' API in the present minute."""
        return {
            address: entry.weight.add(0, now_ms)
            for (address, pool), entry in self._addresses.items()
            if pool is Pool.FUTURES
        }

    def take_orders(self, api_key: str, route: Route, settings: Settings, now_ms: int) -> dict[str, str]:
        """Count orders; return the headers with the counts. Refuse above the account's limits."""
        counts = self._orders.get(api_key)
        if counts is None:
            counts = self._orders[api_key] = _OrderCounts()
        in_ten_seconds = counts.ten_seconds.add(route.orders, now_ms)
        a_minute = route.orders if route.orders_a_minute is None else route.orders_a_minute
        in_minute = counts.minute.add(a_minute, now_ms)
        if settings.limits_enabled:
            if in_ten_seconds > settings.order_limit_per_10s:
                limit, wait_s = settings.order_limit_per_10s, counts.ten_seconds.left_s(now_ms)
                raise Refusal(-1015, limit, "10 SECONDS", retry_after_s=wait_s)
            if in_minute > settings.order_limit_per_minute:
                limit, wait_s = settings.order_limit_per_minute, counts.minute.left_s(now_ms)
                raise Refusal(-1015, limit, "1 MINUTE", retry_after_s=wait_s)
        return {"X-MBX-ORDER-COUNT-10S": str(in_ten_seconds), "X-MBX-ORDER-COUNT-1M": str(in_minute)}

    def reset(self) -> None:
        """Reset all counts and bans."""
        self._addresses.clear()
        self._orders.clear()


def _limit(pool: Pool, settings: Settings) -> int:
    match pool:
        case Pool.FUTURES:
            return settings.weight_limit_per_minute
        case Pool.SPOT:
            return settings.spot_weight_limit_per_minute
        case Pool.WALLET:
            return settings.wallet_weight_limit_per_minute
        case _:
            assert_never(pool)


def _banned(until_ms: int, now_ms: int) -> Refusal:
    message = (
        f"Way too many requests; IP banned until {until_ms}. Please use the websocket for live updates to avoid bans."
    )
    return Refusal(-1003, msg=message, status=418, retry_after_s=-(-(until_ms - now_ms) // 1000))
