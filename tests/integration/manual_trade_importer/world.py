"""Owners who trade by hand at the paper exchange, with keys of ours."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from typing import Any

import ccxt

from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.secrets import SecretKind, seal
from tests import builders
from tests.builders import saved
from tests.integration.embedded_aws import EmbeddedAws
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
        key_id = str(uuid.uuid4())
        key = saved(
            builders.exchange_key(
                key_id,
                user_id=str(uuid.uuid4()),
                trade_type=trade_type,
                strategy_type=StrategyType.MANUAL,
                api_key=trader.api_key,
                secret_ciphertext=seal(trader.secret, kind=SecretKind.EXCHANGE_KEY, owner_id=key_id),
            )
        )
        return Owner(trader, key)
