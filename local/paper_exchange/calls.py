"""Routes and their calls: a handler, its access and its weight. The routes themselves are in the *_routes modules."""

from __future__ import annotations

from collections.abc import Callable
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
    """One method and path. `weight_without_symbol` holds without a symbol; `orders` counts towards -1015."""

    handler: Handler
    access: Access = Access.READ
    weight: int = 1
    weight_without_symbol: int | None = None
    orders: int = 0


Routes = dict[tuple[str, str], Route]
