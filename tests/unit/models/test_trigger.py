"""A strategy's latest entries are found behind its exits, however many of those it sends."""

from __future__ import annotations

import pytest

from shared.models import trigger as module
from shared.models.trigger import Trigger
from shared.trading.sides import TriggerAction
from tests.unit.records import STRATEGY_ID, a_trigger, an_exit, id_of

pytestmark = pytest.mark.usefixtures("tables")


def updates(first: int, count: int) -> None:
    for seq in range(first, first + count):
        an_exit(f"update {seq}", seq=seq, action=TriggerAction.UPDATE)


def test_entry_is_found_behind_a_hundred_updates() -> None:
    a_trigger("older", seq=1)
    a_trigger("entry", seq=2)
    updates(3, 100)
    assert [one.id for one in Trigger.latest_entries(STRATEGY_ID, 1)] == [id_of("entry")]
    assert [one.id for one in Trigger.latest_entries(STRATEGY_ID, 20)] == [id_of("entry"), id_of("older")]
    assert len(Trigger.latest_signals(STRATEGY_ID, 20)) == 2


def test_no_more_triggers_are_read_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_READ", 10)
    a_trigger("entry", seq=1)
    updates(2, 9)
    assert [one.id for one in Trigger.latest_entries(STRATEGY_ID, 2)] == [id_of("entry")]
    updates(11, 1)
    assert Trigger.latest_entries(STRATEGY_ID, 2) == []
