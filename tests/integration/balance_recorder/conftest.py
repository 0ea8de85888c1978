"""A paper exchange for the folder, and the executor's world on it: keys with accounts of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from functions.balance_recorder import service
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
    """Followers-to-be with a plan; readings run without a pause."""
    settings_from(EXCHANGE_URL=paper_exchange.url, LANE_WEIGHT_PER_MINUTE="1000000")
    monkeypatch.setattr(service, "pacer", lambda: IntervalPacer(0.0))
    world = World(paper_exchange, aws)
    yield world
    world.reset()
