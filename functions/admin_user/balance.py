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
from shared.exchange.account_value import amounts_of, usd_value_of
from shared.models.exchange_key import ExchangeKey, TradeType
from shared.models.key_balance import KeyBalance
from shared.models.user import User
from shared.observability import logger
from shared.trading.valuation import needs_prices

_ANSWER_STEP = Decimal("1e-8")

Amounts = dict[str, Decimal]
Prices = dict[str, Decimal]


class TotalBalance(TypedDict):
    """Get Exchange Total Balance."""

    USD: Decimal
    stale: NotRequired[list[Id]]


def total_balance(user: User) -> TotalBalance:
    """Return the total over all keys of the user; a key that cannot be read counts with its last recorded balance."""
    keys = _keys_of(user)
    held = _read_balances(keys)
    prices = {
        trade_type: _prices(trade_type)
        for trade_type in TradeType
        if any(key.trade_type is trade_type and needs_prices(held[key.id] or {}) for key in keys)
    }
    total, stale = Decimal(0), []
    for key in keys:
        usd_value = _usd_value(key, held[key.id], prices)
        if usd_value is None:
            stale.append(key.id)
        else:
            total += usd_value
    total += sum((record.total_usd for record in KeyBalance.find_many(stale).values()), Decimal(0))
    answer: TotalBalance = {"USD": total.quantize(_ANSWER_STEP)}
    if stale:
        answer["stale"] = stale
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


def _prices(trade_type: TradeType) -> Prices | None:
    try:
        return account_queries.prices(trade_type)
    except ExchangeError as error:
        # Not the key's fault: its status stays as the read of its balance left it.
        logger.warning("prices_not_read", trade_type=trade_type.value, error=type(error).__name__)
        return None


def _usd_value(key: ExchangeKey, held: Amounts | None, prices: dict[TradeType, Prices | None]) -> Decimal | None:
    if held is None:
        return None
    known: Prices | None = prices.get(key.trade_type) if needs_prices(held) else {}
    return None if known is None else usd_value_of(key, held, known)
