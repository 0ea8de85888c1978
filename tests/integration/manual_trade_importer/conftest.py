"""A paper exchange for the folder, and owners on it who trade by hand, whose keys we store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from functions.manual_trade_importer import service
from shared.pacing import WeightPacer
from tests.integration.embedded_aws import EmbeddedAws
from tests.integration.manual_trade_importer.world import World
from tests.integration.paper_exchange.exchange_process import ExchangeProcess


@pytest.fixture(scope="package")
def paper_exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess.running(limits_enabled=False) as exchange:
        yield exchange


@pytest.fixture
def world(
    aws: EmbeddedAws,
    paper_exchange: ExchangeProcess,
    settings_from: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """Owners-to-be; imports follow each other at once."""
    settings_from(EXCHANGE_URL=paper_exchange.url, LANE_WEIGHT_PER_MINUTE="1000000")
    pacer = WeightPacer(10**9)
    monkeypatch.setattr(service, "pacer", lambda: pacer)
    yield World(paper_exchange, aws)
    paper_exchange.control("DELETE", "/paper/faults")
    paper_exchange.move_price("20000")
