"""Accounts with isolated margin: the stop is reached before the liquidation, or nothing is opened."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.messages import Command
from shared.trading.execution import ExecutionState
from tests.integration.executor.world import ORDER, Person, World


def isolate(world: World, person: Person, *, leverage: int) -> None:
    def act(client: object) -> None:
        client.fapiPrivatePostMarginType({"symbol": "BTCUSDT", "marginType": "ISOLATED"})  # type: ignore[attr-defined]
        client.fapiPrivatePostLeverage({"symbol": "BTCUSDT", "leverage": leverage})  # type: ignore[attr-defined]

    world.as_owner(person, act)


@pytest.mark.parametrize("leverage", [10, 50, 65, 75, 100, 125])
def test_stop_comes_before_the_liquidation_whatever_the_leverage(world: World, leverage: int) -> None:
    person = world.follower(balance="6000")
    isolate(world, person, leverage=leverage)

    execution = world.open_position(person)

    if execution.state is ExecutionState.DENIED:
        assert (execution.reason, leverage >= 65) == ("STOP_BEHIND_LIQUIDATION", True)
        assert world.account(person).sent(ORDER) == 0
        return
    assert execution.state is ExecutionState.PROTECTED
    assert leverage < 75
    world.exchange.move_price("19800")
    assert world.deliver(execution, command=Command.RECONCILE) == []
    closed = world.stored(execution)
    assert (closed.state, closed.close_reason) == (ExecutionState.CLOSED, "STOP")
    assert closed.profit is not None
    assert closed.profit >= -Decimal(6000) * Decimal("0.015")


def test_account_with_cross_margin_enters_at_the_same_leverage(world: World) -> None:
    person = world.follower(balance="6000", leverage={"BTCUSDT": 100})
    assert world.open_position(person).state is ExecutionState.PROTECTED
