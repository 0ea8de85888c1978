import pytest

from shared.trading.execution import (
    ENDED,
    HOLDS_QUANTITY,
    NOTHING_OPENED,
    TRANSITIONS,
    ExecutionState,
    can_move,
    is_active,
)

S = ExecutionState


def reachable_from(state: ExecutionState) -> set[ExecutionState]:
    seen: set[ExecutionState] = set()
    ahead = [state]
    while ahead:
        for following in TRANSITIONS[ahead.pop()] - seen:
            seen.add(following)
            ahead.append(following)
    return seen


def test_every_state_has_its_transitions() -> None:
    assert set(TRANSITIONS) == set(S)


def test_the_five_end_states_have_no_transition() -> None:
    assert {S.CLOSED, S.DONE, S.DENIED, S.REJECTED, S.FAILED} == ENDED
    assert all(reachable_from(state) == set() for state in ENDED)
    assert {state for state in S if not is_active(state)} == ENDED


def test_every_state_is_reached_from_queued_and_every_active_one_can_end() -> None:
    assert reachable_from(S.QUEUED) == set(S) - {S.QUEUED}
    assert all(reachable_from(state) & ENDED for state in S if is_active(state))


@pytest.mark.parametrize("state", sorted(HOLDS_QUANTITY))
def test_state_that_may_hold_a_quantity_never_goes_to_an_end_that_opened_nothing(state: ExecutionState) -> None:
    assert not TRANSITIONS[state] & NOTHING_OPENED
    assert S.CLOSED in reachable_from(state)


@pytest.mark.parametrize("state", [S.UNPROTECTED, S.PROTECTED, S.CLOSING, S.FLATTENING])
def test_known_position_can_only_end_as_closed(state: ExecutionState) -> None:
    assert reachable_from(state) & ENDED == {S.CLOSED}


@pytest.mark.parametrize("state", [S.UNPROTECTED, S.PROTECTED, S.ENTRY_UNKNOWN, S.CLOSING])
def test_whatever_may_be_open_can_be_flattened(state: ExecutionState) -> None:
    assert can_move(state, S.FLATTENING)


@pytest.mark.parametrize(
    ("current", "following", "allowed"),
    [
        (S.QUEUED, S.ENTERING, True),
        (S.QUEUED, S.UNPROTECTED, False),
        (S.ENTERING, S.REJECTED, True),
        (S.ENTERING, S.PROTECTED, False),
        (S.ENTRY_UNKNOWN, S.ENTERING, True),
        (S.ENTRY_UNKNOWN, S.REJECTED, False),
        (S.UNPROTECTED, S.PROTECTED, True),
        (S.PROTECTED, S.UNPROTECTED, True),
        (S.PROTECTED, S.PROTECTED, False),
        (S.CLOSING, S.PROTECTED, False),
        (S.CLOSED, S.QUEUED, False),
    ],
)
def test_which_transitions_are_permitted(current: ExecutionState, following: ExecutionState, allowed: bool) -> None:
    assert can_move(current, following) is allowed
