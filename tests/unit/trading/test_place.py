"""The order of alerts and closings in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.place import PlaceInTime, born_at
from shared.trading.sides import TriggerAction

RECEIVED = datetime(2026, 11, 6, 16, 53, 59, 250_000, tzinfo=UTC)

moments = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis adds the time zone
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001 - hypothesis adds the time zone
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-5, minutes=-30))]),
)
seqs = st.integers(min_value=0, max_value=10**15 - 1)
places = st.one_of(
    st.builds(
        PlaceInTime.of_trigger,
        st.sampled_from(TriggerAction),
        fired_at=st.none() | moments,
        received_at=moments,
        seq=seqs,
    ),
    st.builds(
        PlaceInTime,
        second=moments.map(lambda moment: moment.astimezone(UTC).replace(microsecond=0)),
        opens=st.booleans(),
        seq=seqs,
    ),
)


def entry(*, fired_s: float | None = None, received_s: float = 0, seq: int = 1) -> PlaceInTime:
    """Return the place of an entry, fired and received so many seconds after RECEIVED."""
    fired_at = None if fired_s is None else RECEIVED + timedelta(seconds=fired_s)
    return PlaceInTime.of_trigger(
        TriggerAction.OPEN, fired_at=fired_at, received_at=RECEIVED + timedelta(seconds=received_s), seq=seq
    )


def test_alert_that_fired_earlier_is_older_though_it_came_later() -> None:
    assert entry(fired_s=-20, received_s=0, seq=2) < entry(fired_s=-1, received_s=-0.5, seq=1)


def test_alert_without_a_firing_time_counts_from_its_receipt() -> None:
    assert entry(received_s=-2, seq=2) < entry(fired_s=-1, received_s=0, seq=1)
    assert entry(fired_s=-2, seq=2) < entry(received_s=-1, seq=1)


def test_alert_dated_in_the_future_counts_from_its_receipt() -> None:
    assert entry(fired_s=3600, seq=1) < entry(received_s=1, seq=2)


@pytest.mark.parametrize("received_s", [0, -0.25, 0.7])
def test_within_one_second_seq_decides(received_s: float) -> None:
    # 16:53:59.250, .000 and .950 are one second.
    assert entry(received_s=received_s, seq=1) < entry(received_s=0.1, seq=2)
    assert entry(received_s=received_s, seq=3) > entry(received_s=0.1, seq=2)


def test_within_one_second_exits_come_before_entries() -> None:
    second = RECEIVED.replace(microsecond=0)
    exits = PlaceInTime(second, opens=False, seq=9)
    assert exits < PlaceInTime(second, opens=True, seq=1)
    assert exits > PlaceInTime(second - timedelta(seconds=1), opens=True, seq=10)


def test_closing_comes_after_what_was_accepted_before_it_and_before_what_is_accepted_later() -> None:
    closing = PlaceInTime.of_closing(received_at=RECEIVED, seq=7, latest=None)
    assert entry(received_s=-0.2, seq=7) <= closing
    assert entry(received_s=0.2, seq=8) > closing
    assert entry(fired_s=-5, received_s=3, seq=8) < closing


@pytest.mark.parametrize("action", [TriggerAction.REDUCE, TriggerAction.UPDATE])
def test_admins_exit_comes_after_what_was_accepted_before_it_and_before_what_is_accepted_later(
    action: TriggerAction,
) -> None:
    asked = PlaceInTime.of_trigger(action, fired_at=None, received_at=RECEIVED, seq=7, by_admin=True)
    assert entry(received_s=-0.2, seq=6) < asked < entry(received_s=0.2, seq=8)
    assert asked > entry(fired_s=-5, received_s=3, seq=8)


def test_closing_comes_after_an_alert_that_a_faster_clock_accepted() -> None:
    ahead = entry(received_s=0.8, seq=7)
    assert ahead > PlaceInTime.of_closing(received_at=RECEIVED, seq=7, latest=None)
    assert ahead <= PlaceInTime.of_closing(received_at=RECEIVED, seq=7, latest=ahead)


def test_text_is_readable_and_sortable() -> None:
    assert entry(fired_s=-1, seq=7).to_text() == "2026-11-06T16:53:58Z#1#000000000000007"


@given(places)
def test_text_gives_the_place_back(place: PlaceInTime) -> None:
    assert PlaceInTime.from_text(place.to_text()) == place


@given(st.lists(places, min_size=2, max_size=6))
def test_places_are_in_one_total_order_and_texts_sort_alike(some: list[PlaceInTime]) -> None:
    in_order = sorted(some)
    assert [place.to_text() for place in in_order] == sorted(place.to_text() for place in some)
    for earlier, later in pairwise(in_order):
        assert (earlier < later) + (earlier > later) + (earlier == later) == 1


@given(received_at=moments, fired_at=st.none() | moments, seq=seqs)
def test_place_is_never_after_the_receipt(received_at: datetime, fired_at: datetime | None, seq: int) -> None:
    place = PlaceInTime.of_trigger(TriggerAction.OPEN, fired_at=fired_at, received_at=received_at, seq=seq)
    assert place.second <= received_at
    assert born_at(fired_at=fired_at, received_at=received_at) - place.second < timedelta(seconds=1)


@given(first=places, second=places, closed_at=moments)
def test_closing_covers_everything_accepted_before_it(
    first: PlaceInTime, second: PlaceInTime, closed_at: datetime
) -> None:
    latest = max(first, second)
    closing = PlaceInTime.of_closing(received_at=closed_at, seq=max(first.seq, second.seq), latest=latest)
    assert first <= closing
    assert second <= closing
