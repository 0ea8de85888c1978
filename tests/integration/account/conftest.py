"""A paper exchange for the folder, and the executor's world on it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest

from shared.exchange import markets
from shared.observability import logger
from tests.integration.embedded_aws import EmbeddedAws
from tests.integration.executor.world import World
from tests.integration.paper_exchange.exchange_process import ExchangeProcess


@pytest.fixture(scope="package")
def paper_exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess.running(limits_enabled=False, refuse_late_past_recv_window=True) as exchange:
        yield exchange


@pytest.fixture
def world(
    aws: EmbeddedAws,
    paper_exchange: ExchangeProcess,
    settings_from: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """A strategy on BTC/USDT at 20000, no faults, nothing halted; prices are read for each entry."""
    monkeypatch.setattr(markets, "PRICES_MAX_AGE_S", 0.0)
    settings_from(EXCHANGE_URL=paper_exchange.url, LANE_WEIGHT_PER_MINUTE="1000000")
    world = World(paper_exchange, aws)
    yield world
    world.reset()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Catch what is logged, a JSON object a line."""
    stream = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    return stream
