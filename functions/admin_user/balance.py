"""The total balance of a user's keys, read live and side by side. Trades nothing, and knows no HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NotRequired, TypedDict

from shared.api.answers import Id
from shared.api.exchange_access import read_with_key
from shared.concurrency import run_concurrently
from shared.errors import AccessDenied, ExchangeError, ServiceUnavailable
from shared.exchange import account_queries
from shared.exchange.account_value import Prices, amounts_of, markets_by_rank, usd_value_of
from shared.models.exchange_key import ExchangeKey, TradeType
from shared.models.key_balance import KeyBalance
from shared.models.user import User
from shared.observability import logger
from shared.trading.valuation import UsdValue, unpriced_assets

_ANSWER_STEP = Decimal("1e-8")

Amounts = dict[str, Decimal]


class TotalBalance(TypedDict):
    """Get Exchange Total Balance."""

    USD: Decimal
    stale: NotRequired[list[Id]]
    """The keys that count with their last recorded balance."""
    unpriced: NotRequired[list[str]]
    """The assets that are not in the total, because no market has a price for them."""


def total_balance(user: User) -> TotalBalance:
    """Return the total over all keys of the user; a key that cannot be read counts with its last recorded balance."""
    keys = _keys_of(user)
    held = _read_balances(keys)
    prices = _PricesOnDemand()
    values = {key.id: _usd_value(key, held[key.id], prices) for key in keys}
    stale = [key_id for key_id, value in values.items() if value is None]
    recorded = KeyBalance.find_many(stale).values()
    known = [value for value in values.values() if value is not None]
    known += [UsdValue(record.total_usd, tuple(record.unpriced or ())) for record in recorded]
    answer: TotalBalance = {"USD": sum((value.total for value in known), Decimal(0)).quantize(_ANSWER_STEP)}
    if stale:
        answer["stale"] = stale
    if unpriced := sorted({asset for value in known for asset in value.unpriced}):
        answer["unpriced"] = unpriced
    return answer


def _keys_of(user: User) -> list[ExchangeKey]:
    """Return every key of the user, oldest first; there are as many as the plan allows."""
    ids = [found.id for found in ExchangeKey.by_user.query(user.id)]
    records = ExchangeKey.find_many(ids, consistent=True)
    return [records[key_id] for key_id in ids if key_id in records]


def _read_balances(keys: Sequence[ExchangeKey]) -> dict[str, Amounts | None]:
    """Return the amounts of each key by asset, None for a key that cannot be read; its status is updated either way."""

    def record(answer: tuple[ExchangeKey, dict[str, Any] | ExchangeError]) -> Amounts | None:
        key, outcome = answer
        try:
            balance = read_with_key(key, lambda: _return_or_raise(outcome))
        except (AccessDenied, ServiceUnavailable):
            return None
        return amounts_of(balance)

    found = run_concurrently(record, zip(keys, account_queries.balances(keys), strict=True))
    return {key.id: held for key, held in zip(keys, found, strict=True)}


def _return_or_raise(outcome: dict[str, Any] | ExchangeError) -> dict[str, Any]:
    if isinstance(outcome, ExchangeError):
        raise outcome
    return outcome


class _PricesOnDemand:
    """The prices of each market, read once for the request, and only if a key needs them."""

    def __init__(self) -> None:
        self._read: dict[TradeType, Prices | None] = {}

    def of(self, market: TradeType) -> Prices | None:
        """Return a market's prices, or None if they cannot be read."""
        if market not in self._read:
            self._read[market] = self._try_read(market)
        return self._read[market]

    @staticmethod
    def _try_read(market: TradeType) -> Prices | None:
        try:
            return account_queries.prices(market)
        except ExchangeError as error:
            # Not the key's fault: its status stays as the read of its balance left it.
            logger.warning("prices_not_read", trade_type=market.value, error=type(error).__name__)
            return None


def _usd_value(key: ExchangeKey, held: Amounts | None, prices: _PricesOnDemand) -> UsdValue | None:
    """Return what a key holds, or None if its balance or a price that it needs cannot be read."""
    if held is None:
        return None
    known: Prices = {}
    for market in markets_by_rank(key.trade_type):
        if not unpriced_assets(held, known):
            break
        found = prices.of(market)
        if found is None:
            return None
        known = found | known
    return usd_value_of(key, held, known)
