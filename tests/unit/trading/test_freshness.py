from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.trading.execution import DenialReason
from shared.trading.freshness import judge_freshness

RECEIVED = datetime(2026, 11, 6, 16, 53, 59, tzinfo=UTC)


def judge(
    *,
    age_s: float = 1,
    fired_before_s: float | None = None,
    superseded: bool = False,
    market: str | None = "20000",
    stop: str = "19000",
) -> DenialReason | None:
    return judge_freshness(
        fired_at=None if fired_before_s is None else RECEIVED - timedelta(seconds=fired_before_s),
        received_at=RECEIVED,
        now=RECEIVED + timedelta(seconds=age_s),
        superseded=superseded,
        order_price=Decimal("20000"),
        stop=Decimal(stop),
        market_price=None if market is None else Decimal(market),
        max_age_s=60,
        max_chase=Decimal("0.3"),
        max_distance_pct=Decimal("0.5"),
    )


@pytest.mark.parametrize(("age_s", "reason"), [(0, None), (60, None), (60.001, DenialReason.STALE)])
def test_alert_is_stale_once_it_is_older_than_its_maximum_age(age_s: float, reason: DenialReason | None) -> None:
    assert judge(age_s=age_s) is reason


@pytest.mark.parametrize(
    ("fired_before_s", "age_s", "reason"),
    [
        (0, 60, None),
        (30, 30, None),
        (30, 31, DenialReason.STALE),
        # Fired an hour in the future: counted from receipt.
        (-3600, 60, None),
        (-3600, 61, DenialReason.STALE),
    ],
)
def test_age_counts_from_firing_and_no_later_than_receipt(
    fired_before_s: float, age_s: float, reason: DenialReason | None
) -> None:
    assert judge(fired_before_s=fired_before_s, age_s=age_s) is reason


@pytest.mark.parametrize(("market", "age_s"), [("20000", 1), ("20100.1", 60), (None, 0)])
def test_superseded_alert_opens_nothing_however_fresh_it_is(market: str | None, age_s: float) -> None:
    assert judge(superseded=True, market=market, age_s=age_s) is DenialReason.SUPERSEDED


@pytest.mark.parametrize(
    ("market", "reason"),
    [
        ("20100", None),
        ("19900", None),
        ("20100.1", DenialReason.PRICE_MOVED),
        ("19899.9", DenialReason.PRICE_MOVED),
        (None, None),
    ],
)
def test_market_further_away_than_allowed_opens_nothing(market: str | None, reason: DenialReason | None) -> None:
    assert judge(market=market) is reason


@pytest.mark.parametrize(
    ("stop", "market", "reason"),
    [
        # 0.3 of a stop distance of 60 is 18, well within the 0.5 % (100) that a wide stop allows.
        ("19940", "20018", None),
        ("19940", "20018.1", DenialReason.PRICE_MOVED),
        ("19940", "19982", None),
        ("19940", "19981.9", DenialReason.PRICE_MOVED),
        ("20060", "19982", None),
        ("20060", "19981.9", DenialReason.PRICE_MOVED),
    ],
)
def test_narrow_stop_allows_a_share_of_its_distance_only(stop: str, market: str, reason: DenialReason | None) -> None:
    assert judge(stop=stop, market=market) is reason
