"""The exchange accounts that this container has opened, each kept until its key changes."""

from __future__ import annotations

import asyncio

from shared import messages, secrets
from shared.exchange import transport
from shared.exchange.futures import FuturesAccount
from shared.models import base
from shared.models.exchange_key import ExchangeKey
from shared.process_state import on_reset
from shared.trading.symbols import assets_of

_MAX_KEPT = 500

_kept: dict[tuple[str, str], tuple[str, str, str, asyncio.AbstractEventLoop, FuturesAccount]] = {}
on_reset(_kept.clear)


async def account_of(key: ExchangeKey, *, symbol: str, lane: str) -> FuturesAccount:
    """Return the key's account by a lane, on this event loop, with the symbol's quote as its margin asset."""
    secret = await asyncio.to_thread(
        secrets.unseal, key.secret_ciphertext, kind=secrets.SecretKind.EXCHANGE_KEY, owner_id=key.id
    )
    loop = asyncio.get_running_loop()
    _, quote = assets_of(symbol)
    kept = _kept.get((key.id, quote))
    if kept is not None and kept[:4] == (key.api_key, secret, lane, loop):
        return kept[4]
    account = await FuturesAccount.open(api_key=key.api_key, secret=secret, margin_asset=quote, lane=lane)
    if len(_kept) >= _MAX_KEPT:
        _kept.pop(next(iter(_kept)))
    _kept[key.id, quote] = (key.api_key, secret, lane, loop, account)
    return account


def prepare() -> None:
    """Make the clients that every message needs while the container starts, so that the first message finds them."""
    base.connect()
    messages.connect()
    secrets.connect()
    transport.prepare()
