"""Inspects an exchange key: reads it at the exchange, and records the verdict, the account's name and its fee rates.

`shared.trading.readiness` judges. Callers hold the lane's weight for it (`HELD_WEIGHT`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from shared.clock import utc_now
from shared.errors import ExchangeAuthorizationFailed, ExchangeError, RecordChanged
from shared.exchange import key_status, lanes, responses, transport
from shared.exchange.futures import MARGIN_ASSET, READ_TIMEOUT_S, FuturesAccount
from shared.exchange.venue_views import KeyView
from shared.models.account_claim import AccountClaim
from shared.models.base import transact
from shared.models.exchange_key import ExchangeKey, TradeType
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.key_readiness import MARGIN_ASSETS, KeyReadiness
from shared.models.position_slot import PositionSlot
from shared.models.unique_name import NameKind, UniqueName
from shared.observability import logger
from shared.secrets import SecretKind, unseal
from shared.trading.lane_choice import FIRST_LANE
from shared.trading.readiness import UNAUTHORIZED, Verdict, judge_account
from shared.trading.symbols import assets_of

HELD_WEIGHT = 31
"""The request weight that an inspection asks of its lane: the account, its settings, and one fee rate."""

SPOT_WEIGHT = 20
"""The request weight of reading whose a spot key is, of the spot budget; `spot_account` asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What one inspection has read of a key, and the verdict on it."""

    view: KeyView
    verdict: Verdict
    alias: str | None
    """The exchange's name of the account; None where it was not asked for, or the key has no futures account."""
    margin_assets: tuple[str, ...]
    checked_at: datetime

    @property
    def details(self) -> dict[str, Any]:
        """The values that were read, by name, as the verdict's record keeps them."""
        wallet = self.view.wallet_balance
        return asdict(self.view.setup) | {
            "wallet_balance": None if wallet is None else format(wallet, "f"),
            "clock_offset_ms": self.view.clock_offset_ms,
            MARGIN_ASSETS: list(self.margin_assets),
        }


async def read(account: FuturesAccount, *, margin_assets: Collection[str], with_alias: bool) -> Inspection:
    """Read a key's permissions and its account's setup, and judge them; raise ExchangeError. Records nothing."""
    checked_at = utc_now()
    view = await account.inspect(margin_assets=margin_assets)
    return Inspection(
        view=view,
        verdict=judge_account(view.setup, wallet_balance=view.wallet_balance, clock_offset_ms=view.clock_offset_ms),
        alias=await account.alias() if with_alias and view.setup.futures_enabled else None,
        margin_assets=tuple(sorted(margin_assets)),
        checked_at=checked_at,
    )


async def spot_account(*, api_key: str, secret: str) -> str | None:
    """Return the exchange's name of a key's spot account, or None where the exchange names none; raise ExchangeError.

    The futures account has another name, and a spot key need not reach it.
    """
    client = await transport.open_client(
        transport.SpotClient, api_key=api_key, secret=secret, timeout_ms=int(READ_TIMEOUT_S * 1000)
    )
    async with lanes.background_work(lanes.DEFAULT_LANE, SPOT_WEIGHT, pool=lanes.SPOT):
        answer = await transport.call(client, "privateGetAccount", {}, timeout_s=READ_TIMEOUT_S)
    return responses.spot_account(answer)


async def inspect(key: ExchangeKey) -> Inspection:
    """Inspect a stored key and record what was found; raise ExchangeError or the errors of its secret."""
    secret, symbols = await asyncio.gather(
        asyncio.to_thread(unseal, key.secret_ciphertext, kind=SecretKind.EXCHANGE_KEY, owner_id=key.id),
        asyncio.to_thread(_followed_symbols, key.id),
    )
    # A key's entries are paid in the quote assets of the symbols that it follows.
    margin_assets = {assets_of(symbol)[1] for symbol in symbols} or {MARGIN_ASSET}
    account = await FuturesAccount.open(api_key=key.api_key, secret=secret)
    spot, unknown = key.trade_type is TradeType.SPOT, key.account_alias is None
    found = await read(account, margin_assets=margin_assets, with_alias=unknown and not spot)
    if spot and unknown:
        found = replace(found, alias=await spot_account(api_key=key.api_key, secret=secret))
    if found.alias is not None:
        # Before the verdict: without a name the inspection is repeated, because the key's entries are denied.
        await asyncio.to_thread(_record_account, key, found.alias)
    await asyncio.to_thread(KeyReadiness.record, key, found.verdict, details=found.details, checked_at=found.checked_at)
    if found.view.setup.futures_enabled:
        await _record_taker_rates(key, account, symbols, found.checked_at)
    return found


async def record_refusal(key: ExchangeKey, error: ExchangeAuthorizationFailed, *, checked_at: datetime) -> None:
    """Record the refusal as the key's verdict, and in its status unless the exchange refuses our address.

    A key that does not name this address may be good at those that it names.
    """
    await asyncio.to_thread(key_status.record_refusal, key, error)
    if FIRST_LANE not in key.named_lanes:
        failure = f"{type(error).__name__} ({error.code}) at the address of {FIRST_LANE}"
        await asyncio.to_thread(KeyReadiness.record_failure, key, failure, failed_at=checked_at)
        return
    await asyncio.to_thread(KeyReadiness.record, key, UNAUTHORIZED, details={"code": error.code}, checked_at=checked_at)


def _followed_symbols(key_id: str) -> list[str]:
    return sorted({found.symbol for found in Follower.by_key.query(key_id)})


def _record_account(key: ExchangeKey, alias: str) -> None:
    """Record the exchange's name of the key's account, and claim the account for positions of before it was known.

    The claims come first: with the name on record, every position of the key has its claim. A position of another key
    that holds the account already stays without one; both are looked after through their own slots.
    """
    for slot in PositionSlot.query(key.id, consistent_read=True):
        execution = Execution.find(slot.execution_id) if slot.execution_id is not None else None
        if execution is not None and execution.active:
            _claim(execution, alias)
    key.save_account_alias(alias)
    if key.trades_automatically:
        # Another key of the account may be older; then entries are kept apart by the claims on positions alone.
        UniqueName.take_if_free(UniqueName.exact_claim_key(NameKind.ACCOUNT, alias), owner_id=key.id)
    logger.info("account_recorded", api_key_id=key.id)


def _claim(execution: Execution, alias: str) -> None:
    claim = AccountClaim.find(alias, execution.symbol)
    if claim is not None and claim.holds_against(execution.api_key_id):
        logger.error("account_shared", execution_id=execution.id, other_execution_id=claim.execution_id)
        return
    try:
        transact(partial(AccountClaim.take, execution=execution, account_alias=alias, ended=claim))
    except RecordChanged:
        _claim(execution, alias)  # another key, inspected at the same time, was faster


async def _record_taker_rates(key: ExchangeKey, account: FuturesAccount, symbols: Sequence[str], at: datetime) -> None:
    """Record the account's taker rate on each symbol that the key follows; without one, entries assume the base rate.

    A rate that cannot be read does not make the inspection fail.
    """
    rates = {}
    for symbol in symbols:
        try:
            rates[symbol] = await account.taker_rate(symbol)
        except ExchangeError as error:
            logger.warning("taker_rate_not_read", api_key_id=key.id, symbol=symbol, detail=str(error))
    if rates:
        await asyncio.to_thread(key.save_taker_rates, rates, read_at=at)
