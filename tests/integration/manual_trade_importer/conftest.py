"""A paper exchange for the folder, and owners on it who trade by hand, whose keys we store."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import ccxt
import pytest

from functions.manual_trade_importer import service
from shared.clock import utc_now
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.pacing import WeightPacer
from shared.secrets import seal
from tests.integration.conftest import EmbeddedAws
from tests.integration.paper_exchange.exchange_process import ExchangeProcess
from tests.integration.paper_exchange.trader import Trader


@dataclass(frozen=True, slots=True)
class Owner:
    """A user who trades by hand, and their key."""

    trader: Trader
    key: ExchangeKey

    @property
    def spot(self) -> Any:
        """A client that trades on spot."""
        return self.trader.client(ccxt.binance)


class World:
    """The exchange, and owners on it."""

    def __init__(self, exchange: ExchangeProcess, aws: EmbeddedAws) -> None:
        self.exchange = exchange
        self.aws = aws

    def owner(self, trade_type: TradeType = TradeType.FUTURES, **also: Any) -> Owner:
        """Open an account and store its key as a MANUAL one."""
        trader = Trader(self.exchange, secrets.token_hex(32), None).open_account(**also)
        key_id, now = str(uuid.uuid4()), utc_now()
        key = ExchangeKey(
            id=key_id,
            user_id=str(uuid.uuid4()),
            created_key=key_id,
            trade_type=trade_type,
            strategy_type=StrategyType.MANUAL,
            api_key=trader.api_key,
            secret_ciphertext=seal(trader.secret, owner_id=key_id),
            created_at=now,
            updated_at=now,
        )
        key.save()
        return Owner(trader, key)


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
    settings_from(EXCHANGE_URL=paper_exchange.url)
    pacer = WeightPacer(10**9)
    monkeypatch.setattr(service, "pacer", lambda: pacer)
    yield World(paper_exchange, aws)
    paper_exchange.control("DELETE", "/paper/faults")
    paper_exchange.move_price("20000")
