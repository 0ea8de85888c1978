"""The verdict on a key is stored with its first trade. For an hour, one that denies stands in for the fresh read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest
from pynamodb.exceptions import UpdateError

from functions.key_inspector import service as key_inspector
from shared.clock import utc_now
from shared.messages import KeyMessage
from shared.models.key_readiness import KeyReadiness
from shared.pacing import IntervalPacer
from shared.trading.execution import DenialReason, ExecutionState
from shared.trading.readiness import DENIES_FOR, VALID_FOR, KeyPermissions, Verdict
from shared.worker import run_async
from tests.integration.executor.world import ORDER, Person, World


def verdict_on(person: Person) -> KeyReadiness:
    found = KeyReadiness.find(person.key.id)
    assert found is not None
    return found


NONE: Mapping[str, bool] = MappingProxyType({})
FIT = {"futures_enabled": True, "withdrawals_enabled": False, "portfolio_margin": False, "ip_restricted": True}


def known(person: Person, *reasons: DenialReason, age: timedelta = timedelta(0)) -> KeyReadiness:
    KeyReadiness.record(person.key, Verdict(reasons), details={}, checked_at=utc_now() - age)
    return verdict_on(person)


def test_first_trade_leaves_a_verdict(world: World) -> None:
    person = world.follower()
    began_at = utc_now()

    assert world.open_position(person).state is ExecutionState.PROTECTED

    verdict = verdict_on(person)
    assert verdict.reasons == []
    assert verdict.checked_at is not None
    assert verdict.checked_at >= began_at
    assert verdict.details["ip_restricted"] is True


def test_denial_of_a_first_trade_leaves_every_reason(world: World) -> None:
    person = world.follower(canWithdraw=True, dualSidePosition=True)

    execution = world.open_position(person)

    assert (execution.reason, execution.detail) == ("WITHDRAWALS_ENABLED", "HEDGE_MODE")
    assert verdict_on(person).reasons == ["WITHDRAWALS_ENABLED", "HEDGE_MODE"]
    assert world.account(person).sent(ORDER) == 0


def test_recent_verdict_is_not_written_again(world: World) -> None:
    person = world.follower()
    before = known(person, age=timedelta(hours=20))

    assert world.open_position(person).state is ExecutionState.PROTECTED

    assert verdict_on(person).checked_at == before.checked_at


def test_old_verdict_is_replaced(world: World) -> None:
    person = world.follower()
    before = known(person, age=VALID_FOR + timedelta(minutes=1))

    assert world.open_position(person).state is ExecutionState.PROTECTED

    after = verdict_on(person)
    assert after.checked_at is not None
    assert after.checked_at > before.checked_at


def test_refusal_of_more_than_an_hour_ago_denies_nothing_that_the_fresh_read_allows(world: World) -> None:
    person = world.follower()
    known(person, DenialReason.WITHDRAWALS_ENABLED, age=DENIES_FOR + timedelta(seconds=1))

    assert world.open_position(person).state is ExecutionState.PROTECTED

    assert verdict_on(person).reasons == []


def test_refusal_of_the_last_hour_denies_before_the_exchange_is_asked(world: World) -> None:
    person = world.follower(dualSidePosition=True)
    assert world.open_position(person).reason == "HEDGE_MODE"
    asked = world.account(person).requests

    second = world.open_position(person)

    assert (second.state, second.reason) == (ExecutionState.DENIED, "HEDGE_MODE")
    assert world.account(person).requests == asked


def test_key_that_its_owner_has_mended_trades_after_an_inspection_on_request(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_inspector, "pacer", lambda: IntervalPacer(0.0))
    person = world.follower(dualSidePosition=True)
    world.open_position(person)
    world.exchange.control("PUT", f"/paper/accounts/{person.key.api_key}", {"dualSidePosition": False})
    assert world.open_position(person).reason == "HEDGE_MODE", "nobody has looked at it yet"

    run_async(key_inspector.inspect(KeyMessage(person.key.id, asked_at=utc_now()), last_try=False))

    assert world.open_position(person).state is ExecutionState.PROTECTED


PERMISSIONS = "/sapi/v1/account/apiRestrictions"
DEAD: list[dict[str, object]] = [
    {"kind": "http", "status": 503, "msg": "Service Unavailable"},
    {"kind": "drop_before"},
    {"kind": "hang", "delayMs": 60_000},
    {"kind": "code", "status": 418, "code": -1003, "msg": "Way too much request weight used; IP banned."},
]


def permissions_are_known(
    person: Person, *, age: timedelta = timedelta(hours=20), changed: Mapping[str, bool] = NONE
) -> None:
    """Store what an inspection has read of a fit key, as the inspector stores it."""
    details = asdict(KeyPermissions(**{**FIT, **changed}))
    KeyReadiness.record(person.key, Verdict(()), details=details, checked_at=utc_now() - age)


@pytest.mark.parametrize("fault", DEAD, ids=lambda fault: str(fault["kind"]))
def test_entry_takes_the_inspectors_permissions_while_their_host_is_dead(world: World, fault: dict[str, Any]) -> None:
    person = world.follower()
    permissions_are_known(person)
    before = verdict_on(person)
    world.plan_fault(person, path=PERMISSIONS, method="GET", **(fault | {"times": 9}))

    assert world.open_position(person).state is ExecutionState.PROTECTED

    assert verdict_on(person).checked_at == before.checked_at, "they stay a day old"


@pytest.mark.parametrize("name", ["withdrawals_enabled", "portfolio_margin"])
def test_permissions_that_are_known_can_deny_too(world: World, name: str) -> None:
    person = world.follower()
    permissions_are_known(person, changed={name: True})
    world.plan_fault(person, "drop_before", PERMISSIONS, "GET", times=9)

    assert world.open_position(person).reason == name.upper()


def test_permissions_of_the_day_before_admit_nobody(world: World) -> None:
    person = world.follower()
    permissions_are_known(person, age=VALID_FOR + timedelta(minutes=1))
    world.plan_fault(person, "drop_before", PERMISSIONS, "GET", times=9)
    execution = world.queue_execution(person, world.trigger())

    assert world.deliver(execution) == [execution.id], "it is tried again while its alert is fresh"

    assert world.stored(execution).state is ExecutionState.QUEUED
    assert world.account(person).sent(ORDER) == 0


def test_permissions_that_can_be_read_decide_and_not_those_known(world: World) -> None:
    person = world.follower(canWithdraw=True)
    permissions_are_known(person)

    assert world.open_position(person).reason == "WITHDRAWALS_ENABLED"


def test_key_that_was_ready_is_denied_when_the_fresh_read_says_so(world: World) -> None:
    person = world.follower(canWithdraw=True)
    known(person, age=timedelta(hours=1))

    assert world.open_position(person).reason == "WITHDRAWALS_ENABLED"

    assert verdict_on(person).reasons == ["WITHDRAWALS_ENABLED"]


def test_verdict_that_cannot_be_written_costs_neither_entry_nor_stop(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UpdateError("out of reach")

    monkeypatch.setattr(KeyReadiness, "record", fail)
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())

    assert world.deliver(execution) == []

    assert world.stored(execution).state is ExecutionState.PROTECTED
    assert len(world.account(person).stops) == 1


def test_stop_stands_before_the_verdict_is_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    person = world.follower()
    stops: list[int] = []
    record = KeyReadiness.record

    def check_and_record(*values: object, **named: object) -> None:
        stops.append(len(world.account(person).stops))
        record(*values, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(KeyReadiness, "record", check_and_record)

    assert world.open_position(person).state is ExecutionState.PROTECTED

    assert stops == [1]
    assert verdict_on(person).reasons == []
