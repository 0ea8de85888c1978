"""A limit of losses over rolling windows, against a slow count in whole cents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from shared.trading.entry_settings import LossLimit
from shared.trading.loss_limit import AccountLosses, BookedResult, LimitReached

D = Decimal
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MS = timedelta(milliseconds=1)
FIVE_A_DAY = LossLimit(day_pct=D(5))


def booked(hours_ago: float, profit: str, wallet: str) -> BookedResult:
    return BookedResult(closed_at=NOW - timedelta(hours=hours_ago), profit=D(profit), wallet=D(wallet))


def reached(
    limit: LossLimit, *results: BookedResult, open_profit: str = "0", wallet: str = "1000", now: datetime = NOW
) -> LimitReached | None:
    return AccountLosses(results=results, open_profit=D(open_profit), wallet=D(wallet)).reached(limit, now=now)


def test_limit_is_reached_to_the_cent() -> None:
    assert reached(FIVE_A_DAY, booked(1, "-49.99", "950.01")) is None
    assert reached(FIVE_A_DAY, booked(1, "-50.00", "950.00")) == LimitReached(until=NOW + timedelta(hours=23))


def test_profits_of_the_window_count_against_its_losses() -> None:
    assert reached(FIVE_A_DAY, booked(3, "20", "1020"), booked(1, "-60", "960")) is None
    assert reached(FIVE_A_DAY, booked(3, "20", "1020"), booked(1, "-70", "950")) is not None


def test_follower_trades_again_when_the_loss_has_left_the_window() -> None:
    loss = booked(1, "-60", "940")
    over = NOW + timedelta(hours=23)
    assert reached(FIVE_A_DAY, loss, now=over - MS) == LimitReached(until=over)
    assert reached(FIVE_A_DAY, loss, now=over) is None


def test_open_losses_count_and_open_profits_too() -> None:
    assert reached(FIVE_A_DAY, booked(1, "-30", "970"), open_profit="-20") == LimitReached(
        until=NOW + timedelta(hours=23)
    )
    assert reached(FIVE_A_DAY, booked(1, "-60", "940"), open_profit="15") is None
    assert reached(FIVE_A_DAY, open_profit="-50") == LimitReached(until=None)


def test_week_counts_what_the_day_has_forgotten() -> None:
    limit = LossLimit(day_pct=D(5), week_pct=D(8))
    losses = [booked(100, "-40", "960"), booked(30, "-42", "918")]
    assert reached(LossLimit(day_pct=D(5)), *losses) is None
    assert reached(limit, *losses) == LimitReached(until=NOW + timedelta(hours=68))


@pytest.mark.parametrize(
    ("results", "is_reached"),
    [
        # A deposit of 9,000 after the loss, or before it in the window: the wallet before the window counts.
        ([booked(30, "0", "1000"), booked(1, "-50", "9950")], True),
        # A withdrawal of 500 is no loss.
        ([booked(30, "0", "1000"), booked(20, "-10", "490"), booked(1, "-10", "480")], False),
        # Without a result before the window, the wallet before its first one.
        ([booked(20, "-40", "960"), booked(1, "-10", "5000")], True),
        ([booked(20, "-10", "990"), booked(1, "-10", "500")], False),
    ],
)
def test_money_that_the_owner_moves_is_no_loss(results: list[BookedResult], is_reached: bool) -> None:
    assert (reached(FIVE_A_DAY, *results) is not None) is is_reached


def test_limit_needs_a_window() -> None:
    with pytest.raises(ValueError, match="day"):
        LossLimit()


# -- against a slow count in whole cents and minutes -------------------------------------------------------------------

MINUTES = {"day": 24 * 60, "week": 7 * 24 * 60}

histories = st.lists(
    st.tuples(
        st.integers(0, 9 * 24 * 60),  # minutes before now
        st.integers(-8_000, 6_000),  # profit in cents
        st.integers(50_000, 150_000),  # wallet after it, in cents, whatever was moved in or out
    ),
    max_size=12,
    unique_by=lambda one: one[0],
)
percents = st.none() | st.integers(1, 1_500)  # hundredths of a percent


def slow(
    history: list[tuple[int, int, int]], open_cents: int, wallet: int, limit: dict[str, int | None], *, later: int
) -> bool:
    """Return whether a limit is reached so many minutes from now; each profit and wallet in cents."""
    for name, hundredths in limit.items():
        if hundredths is None:
            continue
        total, base = open_cents, None
        for ago, profit, after in sorted(history):  # the latest first
            age = ago + later
            if age < MINUTES[name]:
                total += profit
                base = after - profit
            else:
                base = after
                break
        if base is None:
            base = wallet
        if total < 0 and -total * 10_000 >= hundredths * base:
            return True
    return False


@settings(max_examples=400)
@given(
    histories, st.integers(-6_000, 3_000), st.integers(50_000, 150_000),
    st.fixed_dictionaries({"day": percents, "week": percents}).filter(lambda one: any(one.values())),
)  # fmt: skip
def test_limit_is_that_of_the_slow_count_now_and_until_it_is_over(
    history: list[tuple[int, int, int]], open_cents: int, wallet: int, limit: dict[str, int | None]
) -> None:
    def percent(name: str) -> Decimal | None:
        hundredths = limit[name]
        return None if hundredths is None else D(hundredths) / 100

    chosen = LossLimit(day_pct=percent("day"), week_pct=percent("week"))
    losses = AccountLosses(
        results=[
            BookedResult(closed_at=NOW - timedelta(minutes=ago), profit=D(profit) / 100, wallet=D(after) / 100)
            for ago, profit, after in history
        ],
        open_profit=D(open_cents) / 100,
        wallet=D(wallet) / 100,
    )
    found = losses.reached(chosen, now=NOW)
    now_reached = slow(history, open_cents, wallet, limit, later=0)
    assert (found is not None) is now_reached
    if found is None:
        event("not reached")
        return
    # Results leave windows at whole minutes of theirs only.
    leaving = sorted({window - ago for ago, _, _ in history for window in MINUTES.values() if window > ago})
    free = next((later for later in leaving if not slow(history, open_cents, wallet, limit, later=later)), None)
    event("until later" if free is not None else "without an end")
    assert found.until == (None if free is None else NOW + timedelta(minutes=free))
    if found.until is not None:
        assert losses.reached(chosen, now=found.until - MS) is not None
        assert losses.reached(chosen, now=found.until) is None


@given(st.integers(-5_000, -1), st.integers(-100_000, 100_000))
def test_transfer_after_the_loss_changes_nothing(loss: int, moved: int) -> None:
    results = [booked(30, "0", "1000"), BookedResult(NOW - timedelta(hours=2), D(loss) / 100, D(1000) + D(loss) / 100)]
    later = BookedResult(NOW - timedelta(hours=1), D(0), results[-1].wallet + D(moved) / 100)
    assert reached(FIVE_A_DAY, *results) == reached(FIVE_A_DAY, *results, later)
