"""A paper exchange for the folder, and the executor's world on it: followers with keys and accounts of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from functions.key_inspector import service
from shared.pacing import IntervalPacer
from tests.integration.embedded_aws import EmbeddedAws
from tests.integration.executor.world import World
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
    """A strategy and its followers-to-be; inspections run without a pause."""
    settings_from(EXCHANGE_URL=paper_exchange.url, LANE_WEIGHT_PER_MINUTE="1000000")
    monkeypatch.setattr(service, "pacer", lambda: IntervalPacer(0.0))
    world = World(paper_exchange, aws)
    yield world
    world.reset()
    paper_exchange.set(clock_offset_ms=0)
