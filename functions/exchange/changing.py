"""Changes an exchange key: its name, API key and secret, its addresses, or whether strategies may use it.

A key whose API key is replaced, or that is switched on, is inspected first. A replaced API key must be of the same
account: positions that are open stay within reach.
"""

from __future__ import annotations

from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from functions.exchange import binding, key_reading
from functions.exchange.connecting import account_claims, refusals_of
from functions.exchange.refusals import refused
from functions.exchange.schemas import KeyChange, OwnExchangeKeyItem
from shared import secrets
from shared.api.account_api import DISABLED
from shared.api.requests import fault
from shared.clock import utc_now
from shared.ending_followers import has_begun
from shared.errors import AccessDenied, RecordChanged, RequestUnprocessable, SecretUnreadable, ServiceUnavailable
from shared.exchange.key_inspection import Inspection
from shared.key_claims import Claim, claim_on_api_key
from shared.models.base import transact
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey, TradeType
from shared.models.execution import Execution
from shared.models.key_readiness import KeyReadiness
from shared.models.position_slot import PositionSlot
from shared.models.unique_name import NameKind, UniqueName
from shared.models.user import User
from shared.notifications.notice_types import AccountChange
from shared.notifications.notices import record_change
from shared.observability import logger
from shared.trading.connection import KeyRefusal, RefusalCode
from shared.trading.execution import DenialReason
from shared.trading.lane_choice import FIRST_LANE

CHANGING = "the key is changing, please repeat the request"


def change_key(user: User, key: ExchangeKey, body: KeyChange, *, cause: str) -> OwnExchangeKeyItem:
    """Change what the request names, and return the key; raise RequestUnprocessable when nothing is changed.

    Raise ServiceUnavailable if the exchange cannot be asked now. `cause` is the request, for the user's events.
    """
    _require_pair(body)
    if body.active and not user.active:
        raise AccessDenied(DISABLED, authenticated=True)
    changed = _changed(key, body)
    lanes = _lanes(key, changed, body)
    found: Inspection | None = None
    claims: list[Claim] = []
    if body.api_key is not None or (body.active and not key.active):
        found = key_reading.read_credentials(
            api_key=changed.api_key,
            secret=body.api_secret_key or _secret_of(key),
            spot=key.trade_type is TradeType.SPOT,
        )
        if found.alias is not None:
            changed.account = {"apiKey": changed.api_key, "alias": found.alias}
        claims = account_claims(changed)
        reasons = _refusals(key, changed, found, claims)
        if reasons:
            raise refused(reasons, value=body.api_key)
    _write(key, changed, body, lanes=lanes, found=found, claims=claims)
    if found is not None:
        KeyReadiness.record(changed, found.verdict, details=found.details, checked_at=found.checked_at)
    record_change(AccountChange.KEY_CHANGED, changed.name, user_id=user.id, cause=cause)
    logger.info("key_changed", api_key_id=key.id, fields=sorted(body.changes()))
    return binding.own_key_item(ExchangeKey.get(key.id, consistent_read=True))


def _require_pair(body: KeyChange) -> None:
    if body.api_key is not None and body.api_secret_key is None:
        raise RequestUnprocessable([fault("must use with apiKey", param="apiSecretKey", location="body")])
    if body.api_secret_key is not None and body.api_key is None:
        raise RequestUnprocessable([fault("must use with apiSecretKey", param="apiKey", location="body")])


def _changed(key: ExchangeKey, body: KeyChange) -> ExchangeKey:
    """Return a copy of the key's record as the request wants it, which is not stored as a whole."""
    changed = ExchangeKey.from_raw_data(key.to_dynamodb_dict())
    changed.name = body.name if body.name is not None else key.name
    changed.api_key = body.api_key if body.api_key is not None else key.api_key
    return changed


def _lanes(key: ExchangeKey, changed: ExchangeKey, body: KeyChange) -> list[str] | None:
    """Return the lanes that the key names from now on, None if they stay; raise RequestUnprocessable (`lanes_at`).

    What a new API key is bound to, only its owner knows; every key is bound to the first lane's address.
    """
    if body.addresses is not None:
        return binding.lanes_at(body.addresses)
    return [FIRST_LANE] if changed.api_key != key.api_key else None


def _secret_of(key: ExchangeKey) -> str:
    try:
        return secrets.unseal(key.secret_ciphertext, kind=secrets.SecretKind.EXCHANGE_KEY, owner_id=key.id)
    except SecretUnreadable as error:
        raise ServiceUnavailable("the key's secret cannot be opened; replace it") from error


def _refusals(key: ExchangeKey, changed: ExchangeKey, found: Inspection, claims: list[Claim]) -> list[RefusalCode]:
    reasons = refusals_of(changed, found, claims=claims)
    if changed.api_key == key.api_key:
        return reasons
    if key.account_alias is not None and found.alias is not None and key.account_alias != found.alias:
        reasons.append(KeyRefusal.OTHER_ACCOUNT)
    elif key.account_alias is None and _has_position(key):
        reasons.append(DenialReason.ACCOUNT_UNKNOWN)  # nobody can tell whether the position would be in reach
    if claim_on_api_key(changed.api_key, by=key.id).held:
        reasons.append(KeyRefusal.API_KEY_CONNECTED)
    return reasons


def _has_position(key: ExchangeKey) -> bool:
    ids = [slot.execution_id for slot in PositionSlot.query(key.id, consistent_read=True) if slot.execution_id]
    return any(one.active and has_begun(one) for one in Execution.find_many(ids, consistent=True).values())


def _write(
    key: ExchangeKey,
    changed: ExchangeKey,
    body: KeyChange,
    *,
    lanes: list[str] | None,
    found: Inspection | None,
    claims: list[Claim],
) -> None:
    actions: list[Action] = [ExchangeKey.name.set(changed.name), ExchangeKey.updated_at.set(utc_now())]
    if found is not None:
        actions += [ExchangeKey.api_key_status.set(ApiKeyStatus.AUTHORIZED), ExchangeKey.account.set(changed.account)]
    if body.api_secret_key is not None:
        sealed = secrets.seal(body.api_secret_key, kind=secrets.SecretKind.EXCHANGE_KEY, owner_id=key.id)
        actions += [ExchangeKey.api_key.set(changed.api_key), ExchangeKey.secret_ciphertext.set(sealed)]
    if lanes is not None:
        actions += changed.name_lanes(lanes)
    # A key that the exchange has refused is in use again with an API key that it accepts.
    active = (
        body.active if body.active is not None else (key.active or (found is not None and key.deactivated_by_refusal))
    )
    if active != key.active:
        actions += key.activation(active=active)
    if body.active is not None or found is not None:
        actions.append(ExchangeKey.deactivated_by_refusal.set(False))

    def write(transaction: TransactWrite) -> None:
        # A replaced API key, and a refusal of the exchange, are newer than what this request was judged by.
        same = (ExchangeKey.api_key == key.api_key) & (ExchangeKey.active == key.active)
        transaction.update(ExchangeKey(key.id), actions=actions, condition=same)
        for claim in claims:
            claim.take(transaction, owner_id=key.id)
        if changed.api_key != key.api_key:
            claim_on_api_key(changed.api_key, by=key.id).take(transaction, owner_id=key.id)
            _release_api_key(transaction, key)

    try:
        transact(write)
    except RecordChanged as error:
        raise ServiceUnavailable(CHANGING) from error


def _release_api_key(transaction: TransactWrite, key: ExchangeKey) -> None:
    name = UniqueName.exact_claim_key(NameKind.API_KEY, key.api_key)
    held = UniqueName.find(name)
    if held is not None and held.owner_id == key.id:
        UniqueName.release(transaction, name, owner_id=key.id)
