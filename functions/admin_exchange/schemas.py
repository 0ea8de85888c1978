"""What the endpoints of exchange keys take. Their answers are shaped where the exchange is read."""

from __future__ import annotations

from shared.api.fields import Symbol
from shared.api.requests import Query


class PositionQuery(Query):
    """List Futures Open Positions: the query."""

    symbol: Symbol | None = None


class OrderQuery(Query):
    """List Open Orders: the query."""

    symbol: Symbol
