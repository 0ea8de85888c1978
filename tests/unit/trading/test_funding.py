from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.trading.funding import FundingPayment, Holding, funding_span, may_have_funding, own_funding

from .markets import D

HOUR = datetime(2022, 10, 21, 16, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return HOUR + timedelta(seconds=seconds)


def own(*payments: tuple[str, float], holdings: list[Holding], others: tuple[float, ...] = ()) -> Decimal:
    return own_funding(
        [FundingPayment(D(amount), at(seconds)) for amount, seconds in payments],
        holdings=holdings,
        traded_at=[*(one.at for one in holdings), *(at(seconds) for seconds in others)],
    )


def held(*steps: tuple[float, str, str]) -> list[Holding]:
    return [Holding(at(seconds), D(ours), D(total)) for seconds, ours, total in steps]


@pytest.mark.parametrize(
    ("opened_s", "closed_s", "expected"),
    [
        (-1800, -1, False),
        (-1800, 0, True),
        (-1800, 1, True),
        (15, 600, True),  # entered so shortly after the hour it may still be charged
        (16, 3599, False),
        (16, 3600, True),
        (-3600 * 30, 5, True),
    ],
)
def test_only_a_position_that_was_open_on_a_whole_hour_can_have_funding(
    opened_s: float, closed_s: float, expected: bool
) -> None:
    assert may_have_funding(at(opened_s), at(closed_s)) is expected


def test_payments_are_read_from_just_before_to_just_after_the_position() -> None:
    assert funding_span(at(0), at(10)) == (at(-15), at(70))


def test_payments_while_open_are_ours() -> None:
    position = held((-1800, "2", "2"), (5400, "0", "0"))
    assert own(("-1", -3600), ("-2", 0), ("0.5", 3600), ("-4", 7200), holdings=position) == D("-1.5")


def test_payment_is_shared_in_proportion_to_our_part_of_the_position() -> None:
    position = held((-1800, "3", "3"), (-900, "3", "4"), (1800, "1", "2"), (5400, "0", "1"))
    assert own(("-4", 0), ("-3", 3600), ("-9", 7200), holdings=position) == D(-3) + D("-1.5")


def test_payment_that_is_posted_just_after_the_close_counts_for_its_hour() -> None:
    position = held((-1800, "1", "1"), (3, "0", "0"))
    assert own(("-1", 8), holdings=position) == D(-1)
    assert own(("-1", 61), holdings=position) == D(0)


def test_payment_of_the_hour_before_a_late_entry_is_ours_unless_the_account_held_something_else() -> None:
    position = held((5, "1", "1"), (600, "0", "0"))
    assert own(("-1", 0), holdings=position) == D(-1)
    assert own(("-1", 0), holdings=position, others=(2,)) == D(0)
    assert own(("-1", 0), holdings=held((16, "1", "1"))) == D(0)


def test_position_that_closed_before_the_hour_pays_nothing() -> None:
    assert own(("-1", 0), holdings=held((-1800, "1", "1"), (-1, "0", "0"))) == D(0)
