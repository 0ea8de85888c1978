"""Routes and their calls: a handler, its access and its weight. The routes themselves are in the *_routes modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from local.paper_exchange.accounts import Account, FurtherKey
from local.paper_exchange.params import Params
from local.paper_exchange.venue import Venue


class Access(Enum):
    """Who may call a route."""

    PUBLIC = "public"
    READ = "read"
    TRADE = "trade"
    SPOT_TRADE = "spot_trade"


@dataclass(slots=True)
class Call:
    """One checked request."""

    venue: Venue
    params: Params
    now_ms: int
    caller: Account | None
    caller_key: Account | FurtherKey | None = None
    fills_part: bool = False

    @property
    def key(self) -> Account | FurtherKey:
        """Return what holds the permissions of the key that signed the request."""
        return self.account if self.caller_key is None else self.caller_key

    @property
    def account(self) -> Account:
        """Return the caller's account, which public routes do not have."""
        if self.caller is None:
            raise LookupError("a public route has no account")
        return self.caller


Handler = Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path. `weight_without_symbol` holds without a symbol; `orders` counts towards -1015 in 10 s.

    `orders_a_minute` counts towards the limit of a minute, where that is another number.

    `weights_by_limit` has pairs of a limit and the weight up to it, for routes whose weight follows `limit`. Where
    `counts_accurately` is false, the header with the used weight is wrong.
    """

    handler: Handler
    access: Access = Access.READ
    weight: int = 1
    weight_without_symbol: int | None = None
    orders: int = 0
    orders_a_minute: int | None = None
    weights_by_limit: tuple[tuple[int, int], ...] = ()
    default_limit: int = 500
    counts_accurately: bool = True

    def weight_for(self, values: Mapping[str, str]) -> int:
        """Return the weight of a request with these parameters."""
        if self.weight_without_symbol is not None and not values.get("symbol"):
            return self.weight_without_symbol
        if not self.weights_by_limit:
            return self.weight
        sent = values.get("limit", "")
        limit = int(sent) if sent.isdecimal() else self.default_limit
        return next((weight for most, weight in self.weights_by_limit if limit <= most), self.weights_by_limit[-1][1])


Routes = dict[tuple[str, str], Route]
