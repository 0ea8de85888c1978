from __future__ import annotations

import re
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.api.halt_scopes import SCOPE_PATTERN, lane_of, parse_scope, strategy_of, write_scope
from shared.models.trading_switch import EVERYTHING, TradingSwitch
from shared.trading.lane_choice import LANES

SCOPES = st.one_of(
    st.just("ALL"),
    st.uuids().map(lambda one: f"strategy:{one}"),
    st.sampled_from(LANES).map(lambda lane: f"lane:{lane}"),
)


@given(SCOPES)
def test_a_scope_is_written_as_it_was_read(text: str) -> None:
    scope = parse_scope(text)
    assert scope is not None
    assert write_scope(scope) == text
    assert re.match(SCOPE_PATTERN, text)


@given(st.uuids(), st.sampled_from(LANES))
def test_the_scopes_that_an_entry_is_halted_by_can_be_written(strategy: UUID, lane: str) -> None:
    texts = ["ALL", f"strategy:{strategy}", f"lane:{lane}"]
    assert tuple(map(parse_scope, texts)) == TradingSwitch.scopes(strategy_id=str(strategy), lane=lane)
    assert strategy_of(f"strategy#{strategy}") == str(strategy)
    assert lane_of(f"lane#{lane}") == lane
    assert strategy_of(f"lane#{lane}") is lane_of(EVERYTHING) is None


@given(st.text(max_size=60))
def test_any_other_text_names_no_scope(text: str) -> None:
    scope = parse_scope(text)
    assert scope is None or write_scope(scope) == text.lower() or text == "ALL"
