"""Which position an exit means, and what a strategy's alerts come to in whatever order they arrive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading import exits
from shared.trading.place import PlaceInTime
from shared.trading.sides import Side, TriggerAction

NOON = datetime(2026, 11, 6, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Alert:
    """An alert that fired so many seconds after noon: an entry on a side, or a close (None)."""

    side: Side | None
    fired_s: int

    def place(self, seq: int) -> PlaceInTime:
        action = TriggerAction.CLOSE if self.side is None else TriggerAction.OPEN
        fired_at = NOON + timedelta(seconds=self.fired_s)
        return PlaceInTime.of_trigger(action, fired_at=fired_at, received_at=NOON + timedelta(hours=1), seq=seq)


@dataclass
class Followed:
    """One follower: its position, and the newest place that its strategy has accepted."""

    side: Side | None = None
    held_since: PlaceInTime | None = None
    latest: PlaceInTime | None = None

    def deliver(self, alert: Alert, place: PlaceInTime) -> None:
        """Do what the product does: a superseded entry opens and closes nothing, an exit closes what it means."""
        superseded = self.latest is not None and place < self.latest
        self.latest = place if self.latest is None else max(self.latest, place)
        if alert.side is None:
            if self.held_since is not None and exits.means(place, self.held_since):
                self.side = self.held_since = None
        elif not superseded and alert.side is not self.side:
            self.side, self.held_since = alert.side, place


alerts = st.builds(Alert, st.sampled_from([Side.BUY, Side.SELL, None]), st.integers(0, 6))


def entry(second: float, *, seq: int = 1) -> PlaceInTime:
    return PlaceInTime.of_trigger(
        TriggerAction.OPEN, fired_at=None, received_at=NOON + timedelta(seconds=second), seq=seq
    )


def close(second: float, *, seq: int = 2) -> PlaceInTime:
    return PlaceInTime.of_trigger(
        TriggerAction.CLOSE, fired_at=None, received_at=NOON + timedelta(seconds=second), seq=seq
    )


@pytest.mark.parametrize("later_s", [1, 60, 86_400])
def test_exit_means_what_is_older_whenever_it_comes(later_s: float) -> None:
    assert exits.means(close(later_s), entry(0))
    assert exits.means(close(later_s, seq=1), entry(0, seq=2))


@pytest.mark.parametrize("seq", [1, 3])
def test_exit_never_means_what_a_newer_trigger_of_the_same_second_or_a_later_one_opened(seq: int) -> None:
    assert not exits.means(close(0.9), entry(0.1, seq=seq))
    assert not exits.means(close(0), entry(1, seq=seq))


@given(st.lists(alerts, max_size=8).flatmap(lambda fired: st.permutations(fired + fired[:2])))
def test_alerts_in_any_order_end_with_the_position_that_the_newest_meant_or_flat(arrived: list[Alert]) -> None:
    followed = Followed()
    first_seqs: dict[Alert, int] = {}
    for seq, alert in enumerate(arrived):
        place = alert.place(first_seqs.setdefault(alert, seq))  # a repeat is the first delivery's trigger
        followed.deliver(alert, place)

    in_time = sorted(first_seqs, key=lambda alert: alert.place(first_seqs[alert]))
    meant = in_time[-1].side if in_time else None
    assert followed.side in (meant, None)
    if followed.held_since is not None:
        assert all(alert.place(seq) < followed.held_since for alert, seq in first_seqs.items() if alert.side is None)


@given(st.lists(alerts, max_size=8))
def test_alerts_in_time_end_with_the_position_that_the_last_one_meant(fired: list[Alert]) -> None:
    followed = Followed()
    in_time = sorted(enumerate(fired), key=lambda one: one[1].place(one[0]))
    for seq, alert in in_time:
        followed.deliver(alert, alert.place(seq))
    assert followed.side is (in_time[-1][1].side if in_time else None)
