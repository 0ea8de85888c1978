"""No exit fills without its position being looked at: whatever the market does within its candles, and whenever."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.sides import Side
from shared.trading.touch import LATE_BY, Candle, SymbolCandles, TrailingStop, WatchedExits, is_touched

START = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
MINUTE = timedelta(minutes=1)
PER_MINUTE = 6
"""Prices in a minute, ten seconds apart."""

paths = st.lists(st.integers(min_value=80, max_value=120), min_size=PER_MINUTE, max_size=10 * PER_MINUTE)


def moment(number: int) -> datetime:
    """Return when a path has its price of this number."""
    return START + number * MINUTE / PER_MINUTE


def candles_of(path: list[int]) -> list[Candle]:
    """Return the candles of a path, the last one as it is while its minute lasts."""
    minutes = [path[n : n + PER_MINUTE] for n in range(0, len(path), PER_MINUTE)]
    return [
        Candle(START + n * MINUTE, START + (n + 1) * MINUTE, Decimal(max(prices)), Decimal(min(prices)))
        for n, prices in enumerate(minutes)
    ]


def touched(exits: WatchedExits, path: list[int], *, mark: list[int] | None = None) -> bool:
    return is_touched(exits, SymbolCandles(candles_of(path), candles_of(mark or path)))


def touched_by_days(exits: WatchedExits, path: list[int], *, minutes_per_day: int = 4) -> bool:
    """The same where the minutes reach back to the last look alone, and days to the beginning."""
    minutes = candles_of(path)
    days = [
        Candle(part[0].opened_at, part[0].opened_at + minutes_per_day * MINUTE, *_range_of(part))
        for part in (minutes[n : n + minutes_per_day] for n in range(0, len(minutes), minutes_per_day))
    ]
    recent = [candle for candle in minutes if candle.ends_at > exits.looked_at - LATE_BY]
    return is_touched(exits, SymbolCandles(recent, recent, days))


def _range_of(candles: list[Candle]) -> tuple[Decimal, Decimal]:
    return max(candle.high for candle in candles), min(candle.low for candle in candles)


def watched(
    side: Side = Side.BUY, *, look: int = 0, below: int | None = None, above: int | None = None
) -> WatchedExits:
    return WatchedExits(
        side=side,
        below=None if below is None else Decimal(below),
        above=None if above is None else Decimal(above),
        looked_at=moment(look),
    )


@given(paths, st.data())
def test_price_that_the_market_has_been_at_since_the_look_is_touched(path: list[int], data: st.DataObject) -> None:
    look = data.draw(st.integers(3, len(path)))
    below, above = data.draw(st.integers(70, 99)), data.draw(st.integers(101, 130))
    since = path[look:]

    found = touched(watched(look=look, below=below, above=above), path)

    if any(price <= below or price >= above for price in since):
        assert found
    if found:  # never without a reason in the candles from the one on that held the look
        held = max((look * 10 - LATE_BY.seconds) // 60 * PER_MINUTE, 0)
        assert any(price <= below or price >= above for price in path[held:])


@given(paths, st.data())
def test_trailing_stop_that_has_triggered_since_the_look_is_touched(path: list[int], data: st.DataObject) -> None:
    """The exchange follows every price in its order; the candles lose the order."""
    side = data.draw(st.sampled_from(Side))
    placed = data.draw(st.integers(0, len(path) - 1))
    look = data.draw(st.integers(placed, len(path) - 1))
    activation = data.draw(st.one_of(st.none(), st.integers(85, 115)))
    callback_pct = data.draw(st.integers(1, 20))
    best: Decimal | None = None
    triggered_at = None
    for number, price in enumerate(path):
        if number < placed or triggered_at is not None:
            continue
        active = activation is None or (price - activation) * side.sign >= 0
        if best is None and not active:
            continue
        best = Decimal(price) if best is None else max(best * side.sign, Decimal(price) * side.sign) * side.sign
        level = best * (1 - side.sign * Decimal(callback_pct) / 100)
        if (price - level) * side.sign <= 0:
            triggered_at = number
    trailing = TrailingStop(
        activation=None if activation is None else Decimal(activation),
        callback_pct=Decimal(callback_pct),
        placed_at=moment(placed),
    )

    exits = replace(watched(side, look=look), trailing=trailing)

    if triggered_at is not None and triggered_at >= look:
        assert touched(exits, path)
        assert touched_by_days(exits, path)


@given(paths, paths, st.data())
def test_liquidation_follows_the_mark_price(path: list[int], mark: list[int], data: st.DataObject) -> None:
    side = data.draw(st.sampled_from(Side))
    look = data.draw(st.integers(1, len(mark)))
    liquidation = data.draw(st.integers(85, 115))
    exits = replace(watched(side, look=look), liquidation=Decimal(liquidation))
    path = (path * 10)[: len(mark)]

    found = touched(exits, path, mark=mark)

    if any((price - liquidation) * side.sign <= 0 for price in mark[look:]):
        assert found


@given(st.integers(3, 60))
def test_quiet_market_touches_nothing(look: int) -> None:
    trailing = TrailingStop(activation=Decimal(110), callback_pct=Decimal(1), placed_at=START)
    exits = replace(watched(look=look, below=95, above=105), trailing=trailing, liquidation=Decimal(60))

    assert not touched(exits, [100] * 60)


def test_candle_that_is_not_over_is_read_again() -> None:
    """A touch in the rest of the minute in which a candle was read is found with the next read."""
    exits = watched(look=3, below=95)
    until_now = [100] * 9

    assert not touched(exits, until_now)
    assert touched(exits, [*until_now, 94, 100, 100])


def test_touch_just_before_the_look_counts_because_the_lists_may_have_been_late() -> None:
    path = [100] * PER_MINUTE + [94] + [100] * (2 * PER_MINUTE)

    assert touched(watched(look=PER_MINUTE + 1, below=95), path)
    assert not touched(watched(look=2 * PER_MINUTE + 4, below=95), path)


@pytest.mark.parametrize("side", Side)
def test_trailing_stop_assumes_that_the_best_price_of_a_candle_came_first(side: Side) -> None:
    high_then_low, low_then_high = [100, 110, 104, 104, 104, 104], [104, 100, 100, 100, 110, 110]
    path = [100] * PER_MINUTE + (high_then_low if side is Side.BUY else low_then_high)
    trailing = TrailingStop(activation=None, callback_pct=Decimal(5), placed_at=START)

    assert touched(replace(watched(side), trailing=trailing), path)
    assert touched(replace(watched(side), trailing=trailing), path[:PER_MINUTE] + path[: PER_MINUTE - 1 : -1])


@pytest.mark.parametrize("path", [[], [100] * 6], ids=["no candle", "none of the time"])
def test_what_the_candles_do_not_reach_counts_as_touched(path: list[int]) -> None:
    early = replace(watched(below=50), looked_at=START - MINUTE)

    assert touched(early, path)


def test_trailing_stop_older_than_the_candles_counts_as_touched() -> None:
    trailing = TrailingStop(activation=None, callback_pct=Decimal(5), placed_at=START - MINUTE)

    assert touched(replace(watched(look=20), trailing=trailing), [100] * 30)


def test_old_trailing_stop_in_a_quiet_market_is_not_touched() -> None:
    trailing = TrailingStop(activation=None, callback_pct=Decimal(5), placed_at=START)

    assert not touched_by_days(replace(watched(look=50), trailing=trailing), [100] * 60)


def test_best_price_of_an_old_trailing_stop_counts_although_no_minute_shows_it() -> None:
    trailing = TrailingStop(activation=Decimal(105), callback_pct=Decimal(5), placed_at=START)
    exits = replace(watched(look=50), trailing=trailing)

    assert touched_by_days(exits, [100, 110] + [106] * 52 + [104] * 6)
    assert not touched_by_days(exits, [100, 104] + [104] * 52 + [98] * 6)


def test_jump_over_a_price_touches_it() -> None:
    assert touched(watched(look=PER_MINUTE, below=95), [100] * (2 * PER_MINUTE) + [90] * PER_MINUTE)
