"""Whether a refusal is attributed to the key or to our address."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.clock import utc_now
from shared.errors import ExchangeAuthorizationFailed
from shared.exchange import key_status
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey
from shared.models.lane_refusal import LaneRefusal
from shared.models.trading_switch import TradingSwitch
from tests.unit.records import an_exchange_key

pytestmark = pytest.mark.usefixtures("tables")

LANE = "lane-1"


def refuse(*names: str, lane: str = LANE) -> None:
    for name in names:
        key = ExchangeKey.find(name) or an_exchange_key(name, egress_lane=lane)
        key_status.record_refusal(key, ExchangeAuthorizationFailed(code=-2015), lane=lane)


def marked() -> set[str]:
    return {key.id for key in ExchangeKey.scan() if key.api_key_status is ApiKeyStatus.UNAUTHORIZED}


def halt_of(lane: str = LANE) -> str | None:
    switch = TradingSwitch.find(f"lane#{lane}")
    return switch.reason if switch is not None and switch.halted else None


def test_single_refusals_are_the_keys() -> None:
    refuse("a", "b")

    assert marked() == {"a", "b"}
    assert halt_of() is None


@pytest.mark.rings("MassRefusalAlarm")
def test_third_key_within_minutes_halts_the_lane_and_no_further_key_is_marked() -> None:
    refuse("a", "b", "c", "d", "e")

    assert marked() == {"a", "b"}
    assert halt_of() == "MASS_REFUSAL"
    assert ExchangeKey.get("e").active


def test_one_key_that_is_refused_again_and_again_is_one_key() -> None:
    refuse("a", "b")
    for _ in range(5):
        refuse("a", "b")

    assert halt_of() is None


def test_key_whose_refusal_is_known_does_not_count_again() -> None:
    refuse("a", "b")
    for refusal in LaneRefusal.query(LANE):
        refusal.delete()

    refuse("a", "b", "c")

    assert halt_of() is None
    assert marked() == {"a", "b", "c"}


@pytest.mark.parametrize(("keys", "halted"), [(59, True), (60, False)])
def test_three_of_many_keys_are_no_mass(keys: int, *, halted: bool) -> None:
    EgressLane(lane=LANE, keys=keys).save()

    refuse("a", "b", "c")

    assert (halt_of() == "MASS_REFUSAL") is halted
    assert ("c" in marked()) is not halted


def test_refusals_of_earlier_than_five_minutes_do_not_count() -> None:
    for name in ("x", "y"):
        LaneRefusal.add(LANE, api_key_id=name, at=utc_now() - timedelta(minutes=5, seconds=1))

    refuse("a")

    assert marked() == {"a"}


def test_another_lane_is_not_affected() -> None:
    refuse("a", "b")
    refuse("c", lane="lane-2")

    assert (halt_of(), halt_of("lane-2")) == (None, None)
    assert marked() == {"a", "b", "c"}


@pytest.mark.parametrize("lanes", [{"egress_lane": "lane-2"}, {"egress_lanes": ["lane-2", "lane-3"]}])
def test_refusals_at_an_address_that_the_keys_do_not_name_are_nobodys_fault(lanes: dict[str, Any]) -> None:
    for name in ("a", "b", "c", "d"):
        key = an_exchange_key(name, **lanes)
        key_status.record_refusal(key, ExchangeAuthorizationFailed(code=-2015), lane=LANE)

    assert marked() == set()
    assert halt_of() is None
    assert all(ExchangeKey.get(name).active for name in ("a", "b", "c", "d"))


@pytest.mark.parametrize("lane", ["lane-2", "lane-3"])
def test_refusal_at_any_address_that_the_key_names_is_the_keys(lane: str) -> None:
    key = an_exchange_key("a", egress_lanes=["lane-2", "lane-3"])

    key_status.record_refusal(key, ExchangeAuthorizationFailed(code=-2015), lane=lane)

    assert marked() == {"a"}


def test_operators_own_halt_keeps_its_reason() -> None:
    TradingSwitch(scope=f"lane#{LANE}", halted=True, reason="moving house", updated_at=utc_now()).save()

    refuse("a", "b", "c")

    assert halt_of() == "moving house"
    assert marked() == {"a", "b"}


def test_refusals_before_an_operator_lifted_the_halt_do_not_count() -> None:
    refuse("a", "b", "c")
    TradingSwitch(scope=f"lane#{LANE}", halted=False, updated_at=utc_now() + timedelta(milliseconds=1)).save()

    refuse("d")

    assert halt_of() is None
    assert "d" in marked()
