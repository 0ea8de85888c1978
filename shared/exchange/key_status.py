"""What an access through an exchange key does to the key: the one place of the rule for `apiKeyStatus`. Asks nobody.

A refusal clears `active` and remembers that it did; a success sets it again; any other failure touches the status only.
Exits read their key whatever `active` says. Many refusals on one lane mean that our address is wrong: then the lane's
entries are halted, and no further key is marked.
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

MASS_REFUSAL = "MASS_REFUSAL"
WITHIN = timedelta(minutes=5)
AT_LEAST = 3
MORE_THAN_PCT = 5


def note_success(key: ExchangeKey) -> None:
    """Keep that the exchange took the key."""
    _keep(key, ApiKeyStatus.AUTHORIZED)


def note_failure(key: ExchangeKey) -> None:
    """Keep that nothing could be learnt through the key."""
    _keep(key, ApiKeyStatus.FAILED)


def note_refusal(key: ExchangeKey, error: ExchangeAuthorizationFailed) -> None:
    """Keep that the exchange refused the key, unless it is our address that it refuses."""
    lane = key.egress_lane
    logger.warning("exchange_key_refused", api_key_id=key.id, lane=lane, code=error.code)
    if key.api_key_status is ApiKeyStatus.UNAUTHORIZED and not key.active:
        return  # known: a position of such a key is looked at every minute, and refused every minute
    switch = TradingSwitch.find(lane_scope(lane))
    if switch is not None and switch.halted and switch.reason == MASS_REFUSAL:
        return
    now = utc_now()
    LaneRefusal.add(lane, api_key_id=key.id, at=now)
    # What came before an operator let the lane go on again has been dealt with.
    since = now - WITHIN if switch is None else max(now - WITHIN, switch.updated_at)
    refused = LaneRefusal.keys_since(lane, since)
    if _are_many(len(refused), EgressLane.find(lane)):
        TradingSwitch.halt(lane_scope(lane), reason=MASS_REFUSAL)
        logger.error("mass_refusal", lane=lane, keys=len(refused))
        count_outcome("mass_refusal")
        return
    _keep(key, ApiKeyStatus.UNAUTHORIZED)


def _are_many(refused: int, lane: EgressLane | None) -> bool:
    """Tell whether so many keys of a lane are refused that it is not they; with their number unknown, a few will do."""
    keys = lane.keys if lane is not None else None
    return refused >= AT_LEAST and (keys is None or refused * 100 > keys * MORE_THAN_PCT)


def _keep(key: ExchangeKey, status: ApiKeyStatus) -> None:
    actions: list[Action] = [ExchangeKey.api_key_status.set(status)]
    # Only the key that was looked through: its owner may have changed it meanwhile.
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
        # Somebody moved the key while the exchange was asked: what they wrote is newer.
        logger.info("exchange_key_changed_meanwhile", api_key_id=key.id)
