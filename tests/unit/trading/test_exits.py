"""Which position an exit means, and what a strategy's alerts come to in whatever order they arrive."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading import exits
from shared.trading.exits import CLOSED, UNCHANGED, Exit, Target
from shared.trading.place import PlaceInTime
from shared.trading.sides import Side, TriggerAction

NOON = datetime(2026, 11, 6, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Alert:
    """An alert that fired so many seconds after noon: an entry on a side, a close, or a reduction."""

    asked: Side | Exit
    fired_s: int

    @property
    def action(self) -> TriggerAction:
        return self.asked.action if isinstance(self.asked, Exit) else TriggerAction.OPEN

    def place(self, seq: int) -> PlaceInTime:
        fired_at = NOON + timedelta(seconds=self.fired_s)
        return PlaceInTime.of_trigger(self.action, fired_at=fired_at, received_at=NOON + timedelta(hours=1), seq=seq)


@dataclass
class Followed:
    """One follower: its position, and what its strategy has accepted."""

    side: Side | None = None
    held_since: PlaceInTime | None = None
    target: Target = UNCHANGED
    latest: PlaceInTime | None = None
    reductions: list[tuple[PlaceInTime, Exit]] = field(default_factory=list)

    def deliver(self, alert: Alert, place: PlaceInTime) -> None:
        """Do what the product does: a superseded entry opens and closes nothing, an exit acts on what it means.

        A reduction supersedes nothing, and is remembered for an entry that it means and that comes later.
        """
        superseded = self.latest is not None and place < self.latest
        if alert.action is not TriggerAction.REDUCE:
            self.latest = place if self.latest is None else max(self.latest, place)
        if isinstance(alert.asked, Exit):
            if alert.action is TriggerAction.REDUCE:
                self.reductions.append((place, alert.asked))
            self._apply(place, alert.asked)
        elif not superseded and alert.asked is not self.side:
            self.side, self.held_since, self.target = alert.asked, place, UNCHANGED
            for reduced_at, asked in self.reductions:
                self._apply(reduced_at, asked)

    def _apply(self, place: PlaceInTime, asked: Exit) -> None:
        if self.held_since is None or not exits.means(place, self.held_since, side=asked.side, held=self.side):
            return
        self.target = self.target.merge(exits.target_of(asked, size_at_entry=SIZE))
        if self.target.closes:
            self.side, self.held_since = None, None


SIZE = Decimal(4)
"""Of the strategy's own position after each entry."""
CLOSE = Exit(TriggerAction.CLOSE)

sides = st.sampled_from([None, *Side])
shares = st.sampled_from([Decimal("0.25"), Decimal("0.5"), Decimal("0.75")])
reductions = st.one_of(
    st.builds(Exit, st.just(TriggerAction.REDUCE), sides, shares),
    st.builds(Exit, st.just(TriggerAction.REDUCE), sides, position_size=st.sampled_from([Decimal(1), SIZE])),
)
alerts = st.builds(Alert, st.one_of(st.sampled_from([*Side, CLOSE]), reductions), st.integers(0, 6))
targets = st.builds(Target, st.one_of(shares, st.sampled_from([Decimal(0), Decimal(1)])))


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


def in_time(first_seqs: dict[Alert, int]) -> list[tuple[PlaceInTime, Alert]]:
    return sorted(((alert.place(seq), alert) for alert, seq in first_seqs.items()), key=lambda one: one[0])


def side_after(alert: Alert | None) -> Side | None:
    return alert.asked if alert is not None and not isinstance(alert.asked, Exit) else None


@given(st.lists(alerts, max_size=8).flatmap(lambda fired: st.permutations(fired + fired[:2])))
def test_alerts_in_any_order_end_with_what_the_newest_meant_or_flat(arrived: list[Alert]) -> None:
    followed = Followed()
    first_seqs: dict[Alert, int] = {}
    for seq, alert in enumerate(arrived):
        place = alert.place(first_seqs.setdefault(alert, seq))  # a repeat is the first delivery's trigger
        followed.deliver(alert, place)

    ordered = in_time(first_seqs)
    superseding = [alert for _, alert in ordered if alert.action is not TriggerAction.REDUCE]
    assert followed.side in (side_after(superseding[-1] if superseding else None), None)
    if followed.held_since is None:
        return
    assert all(place < followed.held_since for place, alert in ordered if alert.action is TriggerAction.CLOSE)
    # All reductions that mean the position count, whichever came first; no other one does.
    asked = [
        exits.target_of(alert.asked, size_at_entry=SIZE).keep_share
        for place, alert in ordered
        if isinstance(alert.asked, Exit)
        and exits.means(place, followed.held_since, side=alert.asked.side, held=followed.side)
    ]
    assert followed.target.keep_share == min([Decimal(1), *asked])


@given(st.lists(alerts, max_size=8), st.data())
def test_a_lost_reduction_leaves_the_side_and_no_less(fired: list[Alert], data: st.DataObject) -> None:
    lost = [alert for alert in fired if alert.action is TriggerAction.REDUCE and data.draw(st.booleans())]
    whole, without = Followed(), Followed()
    for seq, alert in enumerate(fired):
        whole.deliver(alert, alert.place(seq))
        if alert not in lost:
            without.deliver(alert, alert.place(seq))
    assert (whole.side, whole.held_since) == (without.side, without.held_since)
    assert whole.target.keep_share <= without.target.keep_share


@given(st.lists(alerts, max_size=8))
def test_alerts_in_time_end_with_the_position_that_the_last_one_meant(fired: list[Alert]) -> None:
    followed = Followed()
    ordered = sorted(enumerate(fired), key=lambda one: one[1].place(one[0]))
    for seq, alert in ordered:
        followed.deliver(alert, alert.place(seq))
    superseding = [alert for _, alert in ordered if alert.action is not TriggerAction.REDUCE]
    assert followed.side is side_after(superseding[-1] if superseding else None)


# -- targets ----------------------------------------------------------------------------------------------------------


@given(targets, targets, targets)
def test_targets_merge_in_any_order_and_any_number_of_times_and_never_ask_for_more(
    first: Target, second: Target, third: Target
) -> None:
    assert first.merge(second) == second.merge(first)
    assert first.merge(second).merge(third) == first.merge(second.merge(third))
    assert first.merge(first) == first
    assert first.merge(UNCHANGED) == first
    assert first.merge(CLOSED) == CLOSED
    assert first.merge(second).keep_share <= first.keep_share


@pytest.mark.parametrize(
    ("keep_share", "size", "size_at_entry", "remains"),
    [
        ("0.4", None, None, "0.4"),
        (None, "1", "4", "0.25"),
        ("0.4", "1", "4", "0.25"),
        ("0.2", "1", "4", "0.2"),
        (None, "1", None, "1"),  # the entry did not say its size
        (None, "4", "4", "1"),
        (None, "6", "4", "1"),  # the strategy has added since
    ],
)
def test_reduction_is_to_its_share_or_to_that_of_the_size_at_entry(
    keep_share: str | None, size: str | None, size_at_entry: str | None, remains: str
) -> None:
    asked = Exit(
        TriggerAction.REDUCE,
        keep_share=None if keep_share is None else Decimal(keep_share),
        position_size=None if size is None else Decimal(size),
    )
    at_entry = None if size_at_entry is None else Decimal(size_at_entry)
    assert exits.target_of(asked, size_at_entry=at_entry).keep_share == Decimal(remains)


@given(st.decimals("0.001", 1000, places=3), st.decimals("0.001", 1000, places=3))
def test_share_of_two_sizes_is_never_rounded_up_and_can_be_stored(size: Decimal, size_at_entry: Decimal) -> None:
    asked = Exit(TriggerAction.REDUCE, position_size=size)
    share = exits.target_of(asked, size_at_entry=size_at_entry).keep_share
    assert 0 < share <= 1
    assert len(share.as_tuple().digits) <= 28
    assert Fraction(share) <= Fraction(size) / Fraction(size_at_entry) or share == 1


def test_exit_with_a_side_means_positions_of_that_side_alone() -> None:
    places = close(5), entry(0)
    assert exits.means(*places, side=Side.BUY, held=Side.BUY)
    assert not exits.means(*places, side=Side.BUY, held=Side.SELL)
    assert exits.means(*places, side=None, held=Side.SELL)


@pytest.mark.parametrize(
    ("side", "size", "reduces"),
    [(Side.BUY, "3", True), (Side.BUY, "4", False), (Side.BUY, "5", False), (Side.SELL, "3", False)],
)
def test_less_on_the_same_side_is_a_reduction(side: Side, size: str, reduces: bool) -> None:
    assert exits.is_reduction(Decimal(size), side=side, size_at_entry=SIZE, side_at_entry=Side.BUY) is reduces
    assert not exits.is_reduction(None, side=side, size_at_entry=SIZE, side_at_entry=Side.BUY)
    assert not exits.is_reduction(Decimal(size), side=side, size_at_entry=None, side_at_entry=Side.BUY)
