"""Connects a new exchange key: inspects it at the exchange, and keeps it, sealed, only if nothing is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from pynamodb.transactions import TransactWrite

from functions.exchange import binding, key_reading
from functions.exchange.refusals import refused
from functions.exchange.schemas import NewKey, OwnExchangeKeyItem
from shared import secrets
from shared.api.account_api import DISABLED
from shared.api.idempotency import IdempotentRequest
from shared.api.json_text import read_json, write_json
from shared.clock import to_iso, utc_now
from shared.errors import AccessDenied, RecordChanged, ServiceUnavailable
from shared.exchange.key_inspection import Inspection
from shared.key_claims import Claim, claim_on_account, claim_on_api_key
from shared.key_count import KeyCount, count_keys
from shared.models.base import created_key, transact
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.models.key_readiness import KeyReadiness
from shared.models.user import User
from shared.notifications.notice_types import AccountChange
from shared.notifications.notices import record_change
from shared.observability import count_outcome, logger
from shared.trading.connection import KeyRefusal, RefusalCode, refusals_of_setup
from shared.trading.execution import DenialReason

_ATTEMPTS = 5


def connect_key(user: User, body: NewKey, *, repeatable: IdempotentRequest | None) -> OwnExchangeKeyItem:
    """Keep a new key if it may be connected; raise RequestUnprocessable with the reasons, when nothing is kept.

    Raise ServiceUnavailable if the exchange cannot be asked now. A repeat under the same idempotency key gets the first
    answer.
    """
    answer = _first_answer(repeatable) or _connect(user, body, repeatable)
    # After the key, and once: a repeat records it where the first request crashed before.
    record_change(AccountChange.KEY_CONNECTED, answer["name"], user_id=user.id, cause=answer["id"])
    return answer


def _connect(user: User, body: NewKey, repeatable: IdempotentRequest | None) -> OwnExchangeKeyItem:
    key = _new_key(user, body)
    # What our own records say comes before the exchange is asked.
    if key.strategy_type is StrategyType.AUTOMATED and key.trade_type is not TradeType.FUTURES:
        raise refused([DenialReason.KEY_NOT_FUTURES], param="tradeType", value=body.trade_type)
    known: list[RefusalCode] = []
    if count_keys(user.id).is_full:
        known.append(KeyRefusal.PLAN_MAX_API_KEY)
    if claim_on_api_key(body.api_key, by=key.id).held:
        known.append(KeyRefusal.API_KEY_CONNECTED)
    if known:
        return _first_answer_or_refuse(known, key, repeatable)
    found = key_reading.read_credentials(
        api_key=body.api_key, secret=body.api_secret_key, spot=key.trade_type is TradeType.SPOT
    )
    if found.alias is not None:
        key.account = {"apiKey": key.api_key, "alias": found.alias}
    key.secret_ciphertext = secrets.seal(body.api_secret_key, kind=secrets.SecretKind.EXCHANGE_KEY, owner_id=key.id)
    answered = _keep(key, found, repeatable)
    if answered is not None:
        return answered
    KeyReadiness.record(key, found.verdict, details=found.details, checked_at=found.checked_at)
    logger.info("key_connected", api_key_id=key.id, user_id=user.id)
    count_outcome("key_connected")
    return binding.own_key_item(key)


def refusals_of(key: ExchangeKey, found: Inspection, *, claims: list[Claim]) -> list[RefusalCode]:
    """Return why a key may not be connected, by what the exchange says of it and by who has its account."""
    reasons = refusals_of_setup(
        found.view.setup, futures=key.trade_type is TradeType.FUTURES, automated=key.trades_automatically
    )
    if any(claim.held for claim in claims):
        reasons.append(DenialReason.ACCOUNT_IN_USE)
    return reasons


def account_claims(key: ExchangeKey) -> list[Claim]:
    """Return the claim on the key's account where the key trades it automatically, else nothing."""
    if not key.trades_automatically or key.account_alias is None:
        return []
    return [claim_on_account(key.account_alias, by=key.id)]


def _first_answer(repeatable: IdempotentRequest | None) -> OwnExchangeKeyItem | None:
    stored = repeatable.first_answer(at=utc_now()) if repeatable is not None else None
    answer: OwnExchangeKeyItem | None = read_json(stored) if stored is not None else None
    return answer


def _first_answer_or_refuse(
    reasons: Sequence[RefusalCode], key: ExchangeKey, repeatable: IdempotentRequest | None
) -> OwnExchangeKeyItem:
    """Refuse the key, unless what stands in its way is the same request, stored meanwhile: return its answer."""
    answered = _first_answer(repeatable)
    if answered is None:
        raise refused(reasons, value=key.api_key)
    return answered


def _new_key(user: User, body: NewKey) -> ExchangeKey:
    """Return the record of a new key, without its secret; raise RequestUnprocessable for wrong addresses."""
    key_id, now = str(uuid4()), utc_now()
    key = ExchangeKey(
        id=key_id,
        user_id=user.id,
        created_key=created_key(to_iso(now), key_id),
        exchange_id=body.exchange_id,
        trade_type=TradeType(body.trade_type),
        strategy_type=StrategyType(body.strategy_type),
        name=body.name,
        api_key=body.api_key,
        created_at=now,
        updated_at=now,
    )
    if body.addresses is not None:
        key.name_lanes(binding.lanes_at(body.addresses))
    return key


def _keep(key: ExchangeKey, found: Inspection, repeatable: IdempotentRequest | None) -> OwnExchangeKeyItem | None:
    """Store the key with its claims, and count it; return the first answer if this request was stored meanwhile.

    Of requests that come together, each is judged anew when another was faster.
    """
    for _ in range(_ATTEMPTS):
        count, on_account = count_keys(key.user_id), account_claims(key)
        on_api_key = claim_on_api_key(key.api_key, by=key.id)
        reasons = refusals_of(key, found, claims=on_account)
        if on_api_key.held:
            reasons.append(KeyRefusal.API_KEY_CONNECTED)
        if count.is_full:
            reasons.append(KeyRefusal.PLAN_MAX_API_KEY)
        if reasons:
            return _first_answer_or_refuse(reasons, key, repeatable)
        try:
            _write(key, count, [*on_account, on_api_key], repeatable)
        except RecordChanged:
            answered = _first_answer(repeatable)
            if answered is not None:
                return answered
            if not User.get(key.user_id, consistent_read=True).active:
                raise AccessDenied(DISABLED, authenticated=True) from None
        else:
            return None
    raise ServiceUnavailable("your keys are changing too fast, please repeat the request")


def _write(key: ExchangeKey, count: KeyCount, claims: list[Claim], repeatable: IdempotentRequest | None) -> None:
    def write(transaction: TransactWrite) -> None:
        transaction.save(key, condition=ExchangeKey.id.does_not_exist())
        count.add(transaction, key.id)
        for claim in claims:
            claim.take(transaction, owner_id=key.id)
        if repeatable is not None:
            repeatable.save_answer(write_json(binding.own_key_item(key)), at=utc_now())(transaction)

    transact(write)
