"""What several updates come to: the nearest stop, and the target of the latest, in whatever order they arrive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from shared.trading.place import PlaceInTime
from shared.trading.sides import Side, TriggerAction
from shared.trading.stop_moves import is_nearer
from shared.trading.updates import NOTHING, Requested, Update

NOON = datetime(2026, 11, 6, 12, tzinfo=UTC)

updates = st.builds(
    Update,
    stop=st.none() | st.integers(1, 9).map(Decimal),
    breakeven=st.booleans(),
    breakeven_after=st.none() | st.integers(1, 4),
    take_profits=st.lists(st.integers(1, 9).map(Decimal), max_size=2).map(tuple),
)
SIDES = st.sampled_from(Side)


def placed(update: Update, second: int, *, seq: int) -> Requested:
    at = NOON + timedelta(seconds=second)
    place = PlaceInTime.of_trigger(TriggerAction.UPDATE, fired_at=at, received_at=at, seq=seq)
    return Requested.of(update, place)


def merged(asked: list[Requested], side: Side) -> Requested:
    return reduce(lambda known, one: known.merge(one, side=side), asked, NOTHING)


@given(SIDES, st.lists(st.tuples(updates, st.integers(0, 3)), max_size=6), st.randoms(use_true_random=False))
def test_updates_merge_in_any_order_and_any_number_of_times(
    side: Side, fired: list[tuple[Update, int]], dice: st.DataObject
) -> None:
    in_order = [placed(update, second, seq=seq) for seq, (update, second) in enumerate(fired)]
    arrived = [placed(update, second, seq=seq) for seq, (update, second) in enumerate(reversed(fired))]
    repeated = [*arrived, *arrived[:2]]
    dice.shuffle(repeated)  # type: ignore[attr-defined]
    assert merged(repeated, side) == merged(in_order, side)


@given(SIDES, st.lists(st.tuples(updates, st.integers(0, 3)), min_size=1, max_size=6))
def test_nearest_stop_and_latest_target_win(side: Side, fired: list[tuple[Update, int]]) -> None:
    found = merged([placed(update, second, seq=1) for update, second in fired], side)
    stops = [update.stop for update, _ in fired if update.stop is not None]
    assert (found.stop is None) is (not stops)
    if found.stop is not None:
        assert found.stop in stops
        assert not any(is_nearer(stop, than=found.stop, side=side) for stop in stops)
    assert found.breakeven is any(update.breakeven for update, _ in fired)
    targets = [(second, -number) for update, second in fired if (number := update.breakeven_after) is not None]
    assert found.breakeven_after == (-max(targets)[1] if targets else None)
    lists = [(second, tuple(sorted(update.take_profits))) for update, second in fired if update.take_profits]
    assert found.take_profits == (max(lists)[1] if lists else ())
