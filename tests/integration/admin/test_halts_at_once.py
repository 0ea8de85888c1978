from __future__ import annotations

from uuid import uuid4

from functions.admin_operation import halts
from functions.admin_operation.schemas import HaltBody, HaltItem
from shared.models.trading_switch import TradingSwitch
from tests.integration.admin.at_once import all_at_once
from tests.integration.embedded_aws import EmbeddedAws

AT_ONCE = 8


def test_halts_at_once_are_one_halt_with_one_time(aws: EmbeddedAws) -> None:
    scope = f"strategy#{uuid4()}"

    def halt(number: int) -> HaltItem:
        return halts.halt(scope, HaltBody.model_validate({"reason": f"reason {number}"}))

    answers = all_at_once(halt, times=AT_ONCE)
    (halted_at,) = {answer["haltedAt"] for answer in answers if isinstance(answer, dict)}
    (standing,) = [switch for switch in TradingSwitch.standing(limit=10) if switch.scope == scope]
    assert halts.halt_item(standing)["haltedAt"] == halted_at
    assert standing.reason in {f"reason {number}" for number in range(AT_ONCE)}


def test_halts_and_resumptions_at_once_leave_a_whole_record(aws: EmbeddedAws) -> None:
    scope = f"strategy#{uuid4()}"

    def flip(number: int) -> HaltItem:
        if number % 2:
            return halts.resume(scope)
        return halts.halt(scope, HaltBody.model_validate({"reason": "incident"}))

    for _ in range(5):
        all_at_once(flip, times=AT_ONCE)
        switch = TradingSwitch.get(scope)
        assert switch.halted == (switch.halted_at is not None) == (switch.listed is not None)
        assert switch.reason == ("incident" if switch.halted else "")
