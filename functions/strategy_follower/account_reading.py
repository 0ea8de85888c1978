"""Reads a key's account as before an entry, for its user, and records on the key what the read says. Trades nothing.

Asks the first lane for weight as background work: entries, exits and looks go first.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from datetime import datetime

from shared.api.exchange_access import UNREACHABLE
from shared.clock import utc_now
from shared.errors import ExchangeAuthorizationFailed, ExchangeError, NotFound, SecretUnreadable, ServiceUnavailable
from shared.exchange import account_queries, key_status, lanes, weights
from shared.exchange.futures import FuturesAccount
from shared.exchange.venue_views import AccountView
from shared.models.exchange_key import ExchangeKey, TradeType
from shared.models.key_readiness import MARGIN_ASSETS, KeyReadiness
from shared.observability import logger
from shared.secrets import SecretKind, unseal
from shared.trading.execution import DenialReason
from shared.trading.filters import SymbolFilters
from shared.trading.readiness import judge_account
from shared.trading.symbols import assets_of


@dataclass(frozen=True, slots=True)
class AccountReading:
    """What the exchange says of an account and a symbol, or why it says nothing of it."""

    view: AccountView | None = None
    filters: SymbolFilters | None = None
    denied: DenialReason | None = None
    """Why an entry would be denied before the account is judged."""


def read_account(key: ExchangeKey, *, symbol: str) -> AccountReading:
    """Return what an entry on the symbol would read; raise ServiceUnavailable if the exchange cannot be asked now."""
    if key.trade_type is not TradeType.FUTURES:
        return AccountReading(denied=DenialReason.KEY_NOT_FUTURES)
    checked_at = utc_now()
    try:
        reading = account_queries.run(_read(key, symbol))
    except ExchangeAuthorizationFailed as error:
        key_status.record_refusal(key, error)
        return AccountReading(denied=DenialReason.KEY_UNAUTHORIZED)
    except ExchangeError as error:
        logger.warning("exchange_not_reached", api_key_id=key.id, error=type(error).__name__, code=error.code)
        raise ServiceUnavailable(UNREACHABLE) from error
    except SecretUnreadable as error:
        raise ServiceUnavailable("the key's secret cannot be opened; replace it") from error
    key_status.record_success(key)
    if reading.view is not None:
        _record_verdict(key, reading.view, margin_asset=assets_of(symbol)[1], checked_at=checked_at)
    return reading


async def _read(key: ExchangeKey, symbol: str) -> AccountReading:
    secret = await asyncio.to_thread(unseal, key.secret_ciphertext, kind=SecretKind.EXCHANGE_KEY, owner_id=key.id)
    async with lanes.background_work(lanes.DEFAULT_LANE, weights.ENTRY):
        account = await FuturesAccount.open(api_key=key.api_key, secret=secret, margin_asset=assets_of(symbol)[1])
        if not await account.is_trading(symbol):
            return AccountReading(denied=DenialReason.SYMBOL_NOT_TRADING)
        try:
            filters, view = await asyncio.gather(account.filters(symbol), account.read(symbol))
        except NotFound:
            # The exchange lists the symbol, but not for this account.
            return AccountReading(denied=DenialReason.SYMBOL_NOT_TRADING)
        return AccountReading(view=view, filters=filters)


def _record_verdict(key: ExchangeKey, view: AccountView, *, margin_asset: str, checked_at: datetime) -> None:
    verdict = judge_account(view.setup, wallet_balance=view.wallet_balance)
    details = asdict(view.setup) | {
        "wallet_balance": format(view.wallet_balance, "f"),
        MARGIN_ASSETS: [margin_asset],
    }
    KeyReadiness.record(key, verdict, details=details, checked_at=checked_at)
