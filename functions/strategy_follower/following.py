"""Lets an exchange key of the user's follow a strategy. Opens no position: the next alert does.

One follower trades an account and a symbol: it claims both, in the transaction that stores it.
"""

from __future__ import annotations

from uuid import uuid4

from pynamodb.transactions import TransactWrite

from functions.strategy_follower.account_reading import read_account
from functions.strategy_follower.prospect import context_of, imagined_execution
from functions.strategy_follower.readiness import ANY_PRICE, ANY_STOP, denials_of_account, own_denials
from functions.strategy_follower.refusals import FollowRefusal, denial_fault, follow_fault
from functions.strategy_follower.schemas import NewFollower, OwnFollowerItem, follower_item
from shared.api.account_api import DISABLED
from shared.api.idempotency import IdempotentRequest
from shared.api.json_text import read_json, write_json
from shared.api.requests import Fault
from shared.clock import to_iso, utc_now
from shared.ending_followers import claim_of, holds, owner_of_claim
from shared.errors import AccessDenied, RecordChanged, RequestUnprocessable, ServiceUnavailable
from shared.models.base import created_key, transact
from shared.models.exchange_key import ExchangeKey
from shared.models.follower import Follower
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.unique_name import UniqueName
from shared.models.user import User
from shared.notifications.notice_types import AccountChange
from shared.notifications.notices import record_change
from shared.observability import count_outcome, logger
from shared.trading.execution import DenialReason
from shared.trading.sides import Side

_ATTEMPTS = 5

_PASSING = frozenset(
    {
        # A halt, an empty wallet and a position of the owner's forbid an entry now, and do not forbid to follow.
        DenialReason.HALTED,
        DenialReason.NO_EQUITY,
        DenialReason.NO_AVAILABLE_MARGIN,
        DenialReason.FOREIGN_POSITION,
    }
)


def follow(user: User, body: NewFollower, *, repeatable: IdempotentRequest | None) -> OwnFollowerItem:
    """Store a new follower; raise RequestUnprocessable with every reason why it would be denied each entry.

    Raise ServiceUnavailable if the exchange cannot be asked now. A repeat under the same idempotency key gets the first
    answer.
    """
    answer = _first_answer(repeatable) or _follow(user, body, repeatable)
    # After the follower, and once: a repeat records it where the first request crashed before.
    name = answer["StrategyAutomated"]["name"]
    record_change(AccountChange.FOLLOWING_BEGUN, name, user_id=user.id, cause=answer["id"])
    return answer


def _follow(user: User, body: NewFollower, repeatable: IdempotentRequest | None) -> OwnFollowerItem:
    strategy, key, profile = _records(user, body)
    follower = _new_follower(user, strategy, key, profile)
    execution = imagined_execution(follower, strategy, ANY_STOP.signal_at(ANY_PRICE, side=Side.BUY))
    denied = [DenialReason(one.reason) for one in own_denials(context_of(follower, execution), execution)]
    _refuse(denied, body)
    reading = read_account(key, symbol=strategy.symbol)
    _refuse([DenialReason(one.reason) for one in denials_of_account(reading, execution)], body)
    answer = follower_item(follower, strategy=strategy, key=key, profile=profile)
    answered = _keep(follower, key, body, answer, repeatable)
    if answered is not None:
        return answered
    logger.info("strategy_followed", follower_id=follower.id, strategy_id=strategy.id, api_key_id=key.id)
    count_outcome("strategy_followed")
    return answer


def _first_answer(repeatable: IdempotentRequest | None) -> OwnFollowerItem | None:
    stored = repeatable.first_answer(at=utc_now()) if repeatable is not None else None
    answer: OwnFollowerItem | None = read_json(stored) if stored is not None else None
    return answer


def _records(user: User, body: NewFollower) -> tuple[Strategy, ExchangeKey, RiskProfile]:
    """Return the records that the request names; raise the fault of each that does not exist, or is another user's."""
    strategy, key = Strategy.find(body.strategy_id), ExchangeKey.find(body.api_key_id)
    profile = RiskProfile.find(body.risk_profile_id)
    if key is not None and key.user_id != user.id:
        key = None
    if strategy is not None and key is not None and profile is not None:
        return strategy, key, profile
    missing = (
        (strategy, FollowRefusal.STRATEGY_UNKNOWN, "strategyId", body.strategy_id),
        (key, FollowRefusal.KEY_UNKNOWN, "apiKeyId", body.api_key_id),
        (profile, FollowRefusal.RISK_PROFILE_UNKNOWN, "riskProfileId", body.risk_profile_id),
    )
    raise RequestUnprocessable(
        [follow_fault(code, param=param, value=value) for record, code, param, value in missing if record is None]
    )


def _new_follower(user: User, strategy: Strategy, key: ExchangeKey, profile: RiskProfile) -> Follower:
    follower_id, now = str(uuid4()), utc_now()
    return Follower(
        strategy_id=strategy.id,
        created_key=created_key(to_iso(now), follower_id),
        id=follower_id,
        api_key_id=key.id,
        symbol=strategy.symbol,
        user_id=user.id,
        risk_profile_id=profile.id,
        created_at=now,
        updated_at=now,
    )


def _refuse(denied: list[DenialReason], body: NewFollower) -> None:
    faults: list[Fault] = [
        denial_fault(reason, strategy_id=body.strategy_id, api_key_id=body.api_key_id)
        for reason in dict.fromkeys(denied)
        if reason not in _PASSING
    ]
    if faults:
        raise RequestUnprocessable(faults)


def _keep(
    follower: Follower,
    key: ExchangeKey,
    body: NewFollower,
    answer: OwnFollowerItem,
    repeatable: IdempotentRequest | None,
) -> OwnFollowerItem | None:
    """Store the follower with its claim; return the first answer if this request was stored meanwhile."""
    alias = key.account_alias
    if alias is None:
        raise AssertionError("unreachable: a key whose account is unknown was refused")
    claim = claim_of(follower, alias)
    for _ in range(_ATTEMPTS):
        holder = UniqueName.find(claim)
        holder_id = holder.owner_id if holder is not None else None
        if _follows(key.id, follower.symbol) or (holder_id is not None and holds(holder_id)):
            answered = _first_answer(repeatable)
            if answered is not None:
                return answered
            raise RequestUnprocessable(
                [follow_fault(FollowRefusal.SYMBOL_FOLLOWED, param="strategyId", value=body.strategy_id)]
            )
        try:
            _write(follower, key, answer, repeatable, claim=claim, from_id=holder_id)
        except RecordChanged:
            _require_unchanged(follower, key)
        else:
            return None
    raise ServiceUnavailable("what you follow is changing too fast, please repeat the request")


def _follows(key_id: str, symbol: str) -> bool:
    """Return whether the key has a follower on the symbol, also one from before followers had claims."""
    return any(True for _ in Follower.by_key.query(key_id, Follower.symbol == symbol, limit=1))


def _require_unchanged(follower: Follower, key: ExchangeKey) -> None:
    """Raise what has become of the user or of the key, if that is why the follower was not stored."""
    user, now = User.find(follower.user_id), ExchangeKey.find(key.id)
    if user is None or not user.active:
        raise AccessDenied(DISABLED, authenticated=True)
    if now is None or now.api_key != key.api_key:
        raise ServiceUnavailable("the key is changing, please repeat the request")


def _write(
    follower: Follower,
    key: ExchangeKey,
    answer: OwnFollowerItem,
    repeatable: IdempotentRequest | None,
    *,
    claim: str,
    from_id: str | None,
) -> None:
    def write(transaction: TransactWrite) -> None:
        transaction.save(follower, condition=Follower.strategy_id.does_not_exist())
        UniqueName.take(transaction, claim, owner_id=owner_of_claim(follower), from_id=from_id)
        # A key that is deleted at the same moment takes its followers with it.
        transaction.condition_check(ExchangeKey, key.id, condition=ExchangeKey.api_key == key.api_key)
        enabled = User.active == True  # noqa: E712 - a DynamoDB condition, not a comparison
        transaction.condition_check(User, follower.user_id, condition=enabled)
        if repeatable is not None:
            repeatable.save_answer(write_json(answer), at=utc_now())(transaction)

    transact(write)
