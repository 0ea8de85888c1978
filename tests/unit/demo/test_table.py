"""The demo's table shows what each follower can lose at the stop, fees included, beside the budget."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local.demo.__main__ import _HEADINGS, Outcome
from shared.models.execution import Execution
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side

NOW = datetime(2026, 11, 29, tzinfo=UTC)
FOLLOWER = {"name": "Follower 1", "profile": "CONSERVATIVE", "percentage": "1.5"}


def row(*stops: str, **values: Any) -> dict[str, str]:
    usual = {
        "state": ExecutionState.PROTECTED,
        "side": Side.BUY,
        "received_at": NOW,
        "protected_at": NOW + timedelta(seconds=1),
        "equity": Decimal("10731.37"),
        "risk_pct": Decimal("1.5"),
        "amount": Decimal("0.488"),
        "filled_amount": Decimal("0.488"),
        "entry_price": Decimal(20000),
        "taker_rate": Decimal("0.0005"),
        "reason": None,
    }
    orders = [{"type": "STOP_MARKET", "triggerPrice": stop} for stop in stops]
    outcome = Outcome(FOLLOWER, cast("Execution", SimpleNamespace(**(usual | values))), orders)
    return dict(zip(_HEADINGS, outcome.cells(), strict=True))


@pytest.mark.parametrize(
    ("stops", "values", "loss"),
    [
        # 0.488 × (300 + 0.05 % of 39,700)
        (["19700.00"], {}, "156.09"),
        # The worse of a limit stop and its backstop: 0.488 × (400 + 0.05 % of 39,600)
        (["19700.00", "19600.00"], {}, "204.86"),
        (["20300"], {"side": Side.SELL}, "156.23"),
        # What has filled counts, not what was asked for.
        (["19700"], {"filled_amount": Decimal("0.2")}, "63.97"),
    ],
)
def test_loss_at_the_last_stop_stands_beside_the_budget(stops: list[str], values: dict[str, Any], loss: str) -> None:
    shown = row(*stops, **values)

    assert (shown["loss at the stop"], shown["budget"]) == (loss, "160.97")


def test_follower_without_a_position_shows_the_reason_and_no_loss() -> None:
    shown = row(state=ExecutionState.DENIED, reason="NO_EQUITY")

    assert shown["take-profits"] == "DENIED: NO_EQUITY"
    assert shown["loss at the stop"] == shown["budget"] == ""
