"""A paper exchange for the folder; reports follow each other at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from functions.strategy_reporter import service
from shared.clock import utc_now
from shared.pacing import WeightPacer
from tests.integration.embedded_aws import EmbeddedAws
from tests.integration.paper_exchange.exchange_process import ExchangeProcess


@pytest.fixture(scope="package")
def paper_exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess.running(limits_enabled=False) as exchange:
        yield exchange


@pytest.fixture
def exchange(
    aws: EmbeddedAws,
    paper_exchange: ExchangeProcess,
    settings_from: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[ExchangeProcess]:
    """Return the exchange, with the price at 20,000 before and after the test."""
    settings_from(EXCHANGE_URL=paper_exchange.url, LANE_WEIGHT_PER_MINUTE="1000000")
    # Only days that are over are reported: here it is tomorrow.
    monkeypatch.setattr(service, "utc_now", lambda: utc_now() + timedelta(days=1))
    pacer = WeightPacer(10**9)
    monkeypatch.setattr(service, "pacer", lambda: pacer)
    paper_exchange.move_price("20000")
    yield paper_exchange
    paper_exchange.control("DELETE", "/paper/faults")
    paper_exchange.move_price("20000")
