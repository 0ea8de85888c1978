"""The watcher looks at what the market may have touched, at the rest as the lane has slack, and at all in time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest

from functions.position_watcher import looks, service
from shared.clock import utc_now
from shared.errors import OutcomeUnknown
from shared.exchange import lanes
from shared.exchange.gate import LOOKS_PCT
from shared.exchange.lanes import DEFAULT_LANE
from shared.exchange.server_clock import server_clock
from shared.models.execution import Execution
from shared.trading.entry_settings import EntrySettings, LossLimit
from shared.trading.execution import Desired, ExecutionState
from shared.trading.touch import Candle, SymbolCandles
from tests import builders

FIRST_SECOND_MS = 1_000
"""A count of a minute's first second might not be believed."""
PRICES = {"below": "19000", "above": "21000"}


@dataclass
class Market:
    """What the exchange says of the market: quiet at 20000 in the last minutes."""

    high: Decimal = Decimal(20_000)
    low: Decimal = Decimal(20_000)
    fails: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def read(self, symbol: str, **asked: Any) -> SymbolCandles:
        self.asked.append({"symbol": symbol, **asked})
        if self.fails:
            raise OutcomeUnknown("no answer")
        minute = utc_now().replace(second=0, microsecond=0)
        starts = [minute - timedelta(minutes=number) for number in range(12, -1, -1)]
        candles = [Candle(one, one + timedelta(minutes=1), high=self.high, low=self.low) for one in starts]
        days_since = asked["days_since"]
        days = [Candle(days_since, minute + timedelta(days=1), high=self.high, low=self.low)] if days_since else []
        return SymbolCandles(candles, candles if asked["with_mark"] else [], days)


@pytest.fixture
def market(tables: object) -> Iterator[Market]:
    made = Market()
    lanes.forget()
    with mock.patch.object(looks, "read_candles", made.read):
        yield made
    lanes.forget()


def position(*, minutes_ago: float = 1, **values: Any) -> Execution:
    usual: dict[str, Any] = {
        "state": ExecutionState.PROTECTED,
        "looked_at": utc_now() - timedelta(minutes=minutes_ago),
        "watched": dict(PRICES),
    }
    return builders.execution(builders.trigger(), builders.follower(), **(usual | values))


def choose(*executions: Execution) -> list[str]:
    async def work() -> Sequence[Execution]:
        chosen = await looks.choose(executions, now=utc_now())
        await lanes.flush()
        return chosen

    return [execution.id for execution in asyncio.run(work())]


def test_position_that_a_limit_of_losses_may_close_is_looked_at_in_every_run(market: Market) -> None:
    def limited(*, close: bool) -> Execution:
        limit = LossLimit(day_pct=Decimal(5), close=close)
        return position(entry_settings=EntrySettings(loss_limit=limit))

    fill_lane()
    quiet, closing = limited(close=False), limited(close=True)
    assert choose(closing, quiet)[0] == closing.id
    assert closing.id in choose(*(position() for _ in range(20)), closing)


def fill_lane() -> None:
    limiter = lanes.limiter_of(DEFAULT_LANE)
    limiter.record_usage(limiter.weight.limit * LOOKS_PCT // 100, asked_at_ms=server_clock.now_ms() + FIRST_SECOND_MS)


def test_everything_is_looked_at_while_the_lane_is_quiet(market: Market) -> None:
    executions = [position() for _ in range(5)]

    assert sorted(choose(*executions)) == sorted(one.id for one in executions)
    assert len(market.asked) == 1  # one read for all of a symbol


@pytest.mark.parametrize(("high", "low"), [(20_000, 19_000), (21_000, 20_000)], ids=["stop", "target"])
def test_touched_positions_are_looked_at_on_a_full_lane(market: Market, high: int, low: int) -> None:
    market.high, market.low = Decimal(high), Decimal(low)
    touched = [position() for _ in range(10)]
    far = [position(watched={"below": "18000", "above": "22000"}) for _ in range(20)]
    fill_lane()

    chosen = choose(*touched, *far)

    assert set(chosen[:10]) == {one.id for one in touched}
    assert len(chosen) == 10 + 3  # of the others the share of a minute, so that none waits for longer than the interval


def test_position_at_the_end_of_the_interval_is_looked_at_whatever_the_lane_has_left(market: Market) -> None:
    old = [position(minutes_ago=9) for _ in range(15)]
    fill_lane()

    assert len(choose(*old)) == 15


@pytest.mark.parametrize("unknown", [{"watched": None}, {"looked_at": None}])
def test_position_of_which_no_price_is_known_is_looked_at_each_time(market: Market, unknown: dict[str, Any]) -> None:
    fill_lane()

    unlooked = [position(**unknown) for _ in range(4)]

    assert len(choose(*unlooked)) == 4


def test_mark_price_is_read_where_the_exchange_might_liquidate(market: Market) -> None:
    choose(position())
    choose(position(watched={**PRICES, "liquidation": "17000"}))

    assert [one["with_mark"] for one in market.asked] == [False, True]


def test_liquidation_is_noticed_by_the_mark_price(market: Market) -> None:
    market.low = Decimal(18_500)
    liquidated = position(watched={"below": None, "above": None, "liquidation": "18600"})
    fill_lane()

    assert liquidated.id in choose(liquidated, *(position(watched={"below": "17000"}) for _ in range(30)))[:1]


def test_candles_reach_back_to_the_oldest_look_and_to_trailing_stops(market: Market) -> None:
    oldest = position(minutes_ago=7)
    choose(position(), oldest)
    trailing = position(
        watched={**PRICES, "trailing": True, "activation": None},
        callback_rate=Decimal(1),
        protected_at=utc_now() - timedelta(hours=2),
    )
    choose(trailing)

    assert market.asked[0]["since"] == oldest.looked_at
    assert market.asked[1]["since"] == trailing.protected_at


def test_without_candles_positions_wait_for_two_minutes_at_most(market: Market) -> None:
    market.fails = True
    fill_lane()
    fresh, older = [position(minutes_ago=1) for _ in range(9)], [position(minutes_ago=3) for _ in range(9)]

    chosen = choose(*fresh, *older)

    assert {one.id for one in older} <= set(chosen)
    assert len(chosen) == 9 + 1


@pytest.mark.parametrize(
    ("values", "waits"),
    [
        ({}, True),
        ({"desired": Desired.CLOSED}, False),
        ({"state": ExecutionState.UNPROTECTED}, False),
        ({"state": ExecutionState.CLOSING}, False),
        ({"exited_at": datetime.fromisoformat("2026-01-01T00:00:00+00:00")}, False),
        ({"flat_since": datetime.fromisoformat("2026-01-01T00:00:00+00:00")}, False),
    ],
)
def test_only_a_guarded_position_without_work_may_wait(values: dict[str, Any], waits: bool) -> None:
    assert looks.may_wait(position(**values)) is waits


def test_failing_choice_makes_no_position_wait(market: Market) -> None:
    failed: list[Exception] = []
    executions = [position(), position()]

    with mock.patch.object(looks, "choose", mock.AsyncMock(side_effect=RuntimeError)):
        chosen = asyncio.run(service._choose_looks(executions, utc_now(), failed))

    assert chosen == executions
    assert len(failed) == 1


def test_old_trailing_stop_is_looked_at_when_the_market_has_turned_back_far_enough(market: Market) -> None:
    trailing = position(
        watched={**PRICES, "trailing": True, "activation": None},
        callback_rate=Decimal(1),
        protected_at=utc_now() - timedelta(days=5),
    )
    quiet = [position(minutes_ago=2) for _ in range(3)]
    used = lanes.limiter_of(DEFAULT_LANE).weight.limit
    lanes.limiter_of(DEFAULT_LANE).record_usage(used, asked_at_ms=server_clock.now_ms() + FIRST_SECOND_MS)

    assert trailing.id not in choose(trailing, *quiet)
    assert market.asked[0]["days_since"] == trailing.protected_at

    market.high, market.low = Decimal(20_500), Decimal(20_250)
    assert trailing.id in choose(trailing, *quiet)
