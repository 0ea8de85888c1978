"""The exchange as this function sees it: which keys and symbols it takes."""

from __future__ import annotations

import pytest

from shared.exchange import account_queries
from tests.unit.functions.admin_setting_strategy.exchange import Exchange


@pytest.fixture(autouse=True)
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """Stand in for the exchange."""
    exchange = Exchange()
    monkeypatch.setattr(account_queries, "verify_key", exchange.verify_key)
    return exchange
