"""Records the outcome of each access through an exchange key: the one rule for `apiKeyStatus`. Sends no request.

A refusal clears `active` and sets `deactivated_by_refusal`; a success undoes both; any other failure changes the status
alone. Exits use their key whatever `active` says. A refusal at an address that the key does not name is not the key's
fault, and changes nothing. Many refusals on one lane mean that the exchange refuses our address: then the lane's
entries are halted, and no further key is deactivated.
"""

from __future__ import annotations

from datetime import timedelta

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from shared.clock import utc_now
from shared.errors import ExchangeAuthorizationFailed
from shared.models.base import conditional_write
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey
from shared.models.lane_refusal import LaneRefusal
from shared.models.trading_switch import TradingSwitch, lane_scope
from shared.observability import count_outcome, logger
from shared.trading.lane_choice import FIRST_LANE

MASS_REFUSAL = "MASS_REFUSAL"
REFUSAL_WINDOW = timedelta(minutes=5)
MIN_REFUSED_KEYS = 3
MAX_REFUSED_PCT = 5


def record_success(key: ExchangeKey) -> None:
    """Record that the exchange accepted the key."""
    _save_status(key, ApiKeyStatus.AUTHORIZED)


def record_failure(key: ExchangeKey) -> None:
    """Record that an access failed for another reason than the key."""
    _save_status(key, ApiKeyStatus.FAILED)


def record_refusal(key: ExchangeKey, error: ExchangeAuthorizationFailed, *, lane: str = FIRST_LANE) -> None:
    """Record that the exchange refused the key; halt the lane's entries instead if it refuses many of its keys.

    `lane` is the one that the request left by. Where the key does not name it, its owner need not have bound that
    address: nothing is recorded.
    """
    logger.warning("exchange_key_refused", api_key_id=key.id, lane=lane, code=error.code)
    if lane not in key.named_lanes:
        count_outcome("refused_at_unnamed_lane")
        return
    if key.api_key_status is ApiKeyStatus.UNAUTHORIZED and not key.active:
        return  # known: the watcher reconciles a position of such a key every minute
    switch = TradingSwitch.find(lane_scope(lane))
    if switch is not None and switch.halted and switch.reason == MASS_REFUSAL:
        return
    now = utc_now()
    LaneRefusal.add(lane, api_key_id=key.id, at=now)
    # An operator who lifted the last halt has dealt with the refusals before it.
    since = now - REFUSAL_WINDOW if switch is None else max(now - REFUSAL_WINDOW, switch.updated_at)
    refused = LaneRefusal.keys_since(lane, since)
    if _is_mass_refusal(len(refused), EgressLane.find(lane)):
        TradingSwitch.halt(lane_scope(lane), reason=MASS_REFUSAL)
        logger.error("mass_refusal", lane=lane, keys=len(refused))
        count_outcome("mass_refusal")
        return
    _save_status(key, ApiKeyStatus.UNAUTHORIZED)


def _is_mass_refusal(refused: int, lane: EgressLane | None) -> bool:
    """Return whether a lane's refusals point to our address; if its number of keys is unknown, the minimum suffices."""
    keys = lane.keys if lane is not None else None
    return refused >= MIN_REFUSED_KEYS and (keys is None or refused * 100 > keys * MAX_REFUSED_PCT)


def _save_status(key: ExchangeKey, status: ApiKeyStatus) -> None:
    actions: list[Action] = [ExchangeKey.api_key_status.set(status)]
    # Only for the API key that was used: its owner may have replaced it meanwhile.
    condition: Condition = ExchangeKey.api_key == key.api_key
    if status is ApiKeyStatus.UNAUTHORIZED and key.active:
        actions += [*key.activation(active=False), ExchangeKey.deactivated_by_refusal.set(True)]
        condition &= ExchangeKey.active == True  # noqa: E712 - a DynamoDB condition, not a comparison
    elif status is ApiKeyStatus.AUTHORIZED and key.deactivated_by_refusal:
        actions += [*key.activation(active=True), ExchangeKey.deactivated_by_refusal.set(False)]
        condition &= ExchangeKey.deactivated_by_refusal == True  # noqa: E712
    elif key.api_key_status is status:
        return
    with conditional_write() as write:
        key.update(actions=[*actions, ExchangeKey.updated_at.set(utc_now())], condition=condition)
    if not write.applied:
        # The record was changed during the access: that change is newer.
        logger.info("exchange_key_changed_meanwhile", api_key_id=key.id)
