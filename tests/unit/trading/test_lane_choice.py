"""Which lane takes a follower's work: one that the key binds, not banned while another is not, entries by weight."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.trading.lane_choice import FIRST_LANE, EntrySpread, LaneState, bound_lanes, lane_of_work

NOW = datetime(2026, 11, 29, tzinfo=UTC)
LANES = [FIRST_LANE, "lane-2", "lane-3", "lane-4"]
WEIGHT = 20

states = st.builds(
    LaneState,
    room=st.integers(0, 300),
    banned_until=st.none() | st.integers(1, 9).map(lambda minutes: NOW + timedelta(minutes=minutes)),
    paused=st.booleans(),
    halted=st.booleans(),
)
healthy = st.builds(LaneState, room=st.integers(0, 300))
names = st.lists(st.sampled_from(LANES), unique=True, min_size=1)


def deployed(of_lane: st.SearchStrategy[LaneState]) -> st.SearchStrategy[dict[str, LaneState]]:
    return st.dictionaries(st.sampled_from(LANES[1:]), of_lane).flatmap(
        lambda further: of_lane.map(lambda first: {FIRST_LANE: first, **further})
    )


def allowed(named: list[str], lanes: dict[str, LaneState]) -> list[str]:
    return [lane for lane in bound_lanes(named) if lane in lanes]


def is_open(state: LaneState) -> bool:
    return state.banned_until is None and not state.halted


@given(names, deployed(states), st.sampled_from(LANES))
def test_work_on_a_position_leaves_by_a_lane_of_its_key_that_is_not_banned(
    named: list[str], lanes: dict[str, LaneState], home: str
) -> None:
    lane = lane_of_work(named, lanes, home=home)

    assert lane in allowed(named, lanes)
    if lanes[lane].banned_until is not None:
        ends = [lanes[other].banned_until for other in allowed(named, lanes)]
        assert None not in ends
        assert lanes[lane].banned_until == min(end for end in ends if end is not None)


@given(names, deployed(states), st.data())
def test_work_stays_on_its_lane_while_that_is_neither_banned_nor_halted(
    named: list[str], lanes: dict[str, LaneState], data: st.DataObject
) -> None:
    home = data.draw(st.sampled_from(named))
    if home in lanes and is_open(lanes[home]):
        assert lane_of_work(named, lanes, home=home) == home


@given(names, deployed(states), st.sampled_from(LANES))
def test_work_leaves_by_a_lane_that_the_key_does_not_name_only_if_no_named_one_is_open(
    named: list[str], lanes: dict[str, LaneState], home: str
) -> None:
    if lane_of_work(named, lanes, home=home) not in named:
        assert not any(lane in lanes and is_open(lanes[lane]) for lane in named)


@given(st.lists(names, max_size=60), deployed(states))
def test_an_entry_goes_to_no_banned_or_halted_lane_while_its_key_binds_another(
    keys: list[list[str]], lanes: dict[str, LaneState]
) -> None:
    for named, lane in zip(keys, EntrySpread(lanes, WEIGHT).choose_all(keys), strict=True):
        assert lane in allowed(named, lanes)
        assert is_open(lanes[lane]) or not any(is_open(lanes[other]) for other in allowed(named, lanes))


@given(st.lists(names, max_size=60), deployed(healthy))
def test_no_follower_is_beyond_a_lanes_weight_while_another_lane_of_its_key_has_some(
    keys: list[list[str]], lanes: dict[str, LaneState]
) -> None:
    chosen = EntrySpread(lanes, WEIGHT).choose_all(keys)

    taken = Counter(chosen)
    left = {lane: state.room - WEIGHT * taken[lane] for lane, state in lanes.items()}
    for named, lane in zip(keys, chosen, strict=True):
        if left[lane] < 0:
            others = [other for other in named if other in lanes and other != lane]
            assert all(left[other] < WEIGHT for other in others)


@given(st.integers(0, 200), st.integers(1, len(LANES)), st.integers(0, 300))
def test_followers_spread_evenly_over_lanes_that_are_alike(followers: int, number: int, room: int) -> None:
    lanes = dict.fromkeys(LANES[:number], LaneState(room=room))

    taken = Counter(EntrySpread(lanes, WEIGHT).choose_all([LANES[:number]] * followers))

    sizes = [taken[lane] for lane in lanes]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 20), st.integers(0, 20), st.randoms())
def test_keys_that_bind_one_lane_only_are_not_crowded_out_by_those_that_bind_more(
    bound_to_one: int, free: int, first_room: int, second_room: int, random: object
) -> None:
    lanes = {FIRST_LANE: LaneState(room=first_room * WEIGHT), "lane-2": LaneState(room=second_room * WEIGHT)}
    keys = [[FIRST_LANE]] * bound_to_one + [[FIRST_LANE, "lane-2"]] * free
    random.shuffle(keys)  # type: ignore[attr-defined]

    taken = Counter(EntrySpread(lanes, WEIGHT).choose_all(keys))

    entered = sum(min(taken[lane], state.room // WEIGHT) for lane, state in lanes.items())
    alone = min(bound_to_one, first_room)
    assert entered == min(alone + free, alone + (first_room - alone) + second_room)


@given(deployed(states))
def test_key_whose_lanes_have_no_executor_goes_by_the_first(lanes: dict[str, LaneState]) -> None:
    lanes.pop("lane-4", None)

    assert lane_of_work(["lane-4"], lanes, home="lane-4") == FIRST_LANE
    assert EntrySpread(lanes, WEIGHT).choose(["lane-4"]) == FIRST_LANE


def test_entries_give_way_to_a_pause_and_work_on_positions_does_not() -> None:
    lanes = {FIRST_LANE: LaneState(room=300, paused=True), "lane-2": LaneState(room=0)}

    assert EntrySpread(lanes, WEIGHT).choose(LANES[:2]) == "lane-2"
    assert lane_of_work(LANES[:2], lanes, home=FIRST_LANE) == FIRST_LANE


def test_exit_leaves_by_the_first_lane_when_the_one_that_its_key_names_is_banned() -> None:
    lanes = {FIRST_LANE: LaneState(), "lane-2": LaneState()}
    banned = lanes | {"lane-2": replace(lanes["lane-2"], banned_until=NOW)}

    assert lane_of_work(["lane-2"], lanes, home="lane-2") == "lane-2"
    assert lane_of_work(["lane-2"], banned, home="lane-2") == FIRST_LANE
