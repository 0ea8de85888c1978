"""A follower's own settings decide the size of its entry, and the record says which cap was effective."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.models.follower import Follower
from shared.trading.entry_settings import BelowMinimum, EntrySettings, SizingType
from shared.trading.execution import ExecutionState
from tests.integration.executor.world import ORDER, World


@pytest.mark.parametrize(
    ("settings", "amount", "caps"),
    [
        (EntrySettings(sizing=SizingType.NOTIONAL, value=Decimal(5000)), "0.249", []),  # at the bound of 20,010
        (EntrySettings(sizing=SizingType.EQUITY, value=Decimal(50)), "0.287", []),  # 5,753.5 USDT
        (EntrySettings(sizing=SizingType.NOTIONAL, value=Decimal(50_000)), "0.750", ["RISK_BUDGET"]),
        (EntrySettings(max_notional=Decimal(4000)), "0.199", ["MAX_NOTIONAL"]),
        (EntrySettings(max_leverage=Decimal("0.2")), "0.115", ["MAX_LEVERAGE"]),  # 2,301.4 USDT
    ],
)
def test_entry_has_the_size_that_the_follower_chose(
    world: World, settings: EntrySettings, amount: str, caps: list[str]
) -> None:
    person = world.follower()
    person.record.update(actions=[Follower.entry_settings.set(settings)])

    execution = world.open_position(person)

    assert execution.state is ExecutionState.PROTECTED
    assert (execution.amount, execution.caps) == (Decimal(amount), caps)
    assert not execution.at_minimum
    assert world.account(person).position == Decimal(amount)


def test_minimum_is_opened_where_the_follower_chose_it(world: World) -> None:
    # 1.5 % of 60 USDT are 0.90, and 0.005 BTC lose 1.15 at the stop: less than twice as much.
    person = world.follower(balance="60")
    person.record.update(actions=[Follower.entry_settings.set(EntrySettings(below_minimum=BelowMinimum.MINIMUM))])

    execution = world.open_position(person)

    assert execution.state is ExecutionState.PROTECTED
    assert (execution.amount, execution.at_minimum) == (Decimal("0.005"), True)
    assert world.account(person).stops


def test_minimum_that_loses_twice_the_profile_is_denied(world: World) -> None:
    person = world.follower(balance="38")
    person.record.update(actions=[Follower.entry_settings.set(EntrySettings(below_minimum=BelowMinimum.MINIMUM))])

    execution = world.open_position(person)

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, "BELOW_MINIMUM")
    assert world.account(person).sent(ORDER) == 0


def test_settings_hold_from_the_next_alert_on(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    person.record.update(actions=[Follower.entry_settings.set(EntrySettings(max_notional=Decimal(4000)))])

    world.deliver(execution)

    assert world.stored(execution).amount == Decimal("0.750")
