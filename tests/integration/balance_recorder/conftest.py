"""A paper exchange for the folder, and the executor's world on it: keys with accounts of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from functions.balance_recorder import service
from shared import config
from shared.exchange import account_queries, account_value, transport
from shared.pacing import IntervalPacer
from shared.worker import run_async
from tests.integration.conftest import EmbeddedAws
from tests.integration.executor.world import World
from tests.integration.paper_exchange.exchange_process import ExchangeProcess


@pytest.fixture(scope="package")
def paper_exchange() -> Iterator[ExchangeProcess]:
    exchange = ExchangeProcess().start()
    exchange.set(limits_enabled=False)
    yield exchange
    run_async(transport.close_session())
    exchange.stop()


@pytest.fixture
def world(aws: EmbeddedAws, paper_exchange: ExchangeProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Followers-to-be with a plan; readings run without a pause."""
    monkeypatch.setenv("EXCHANGE_URL", paper_exchange.url)
    monkeypatch.setattr(service, "pacer", IntervalPacer(0.0))
    _forget()
    world = World(paper_exchange, aws)
    yield world
    world.tidy()
    _forget()


def _forget() -> None:
    config.settings.cache_clear()
    transport._template.cache_clear()
    account_queries._markets.clear()
    account_value.forget_prices()
