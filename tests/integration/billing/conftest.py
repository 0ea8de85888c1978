"""The stand-in for Stripe, once for the tests of this folder, and the client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.stripe import API_KEY
from shared.billing import client
from tests.environment import environment
from tests.integration.billing.stand_in import StandIn
from tests.integration.services import running_stand_in


@pytest.fixture(scope="session")
def stripe_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the stand-in and return its address."""
    with running_stand_in(
        "local.stripe", probe="/stand-in/requests", directory=tmp_path_factory.mktemp("stripe")
    ) as url:
        yield url


@pytest.fixture
def stand_in(stripe_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Point the client at the stand-in."""
    monkeypatch.setattr(client, "read_parameter", lambda _: API_KEY)
    stand_in = StandIn(stripe_server)
    stand_in.forget()
    with environment(STRIPE_API_BASE=stripe_server, STRIPE_KEY_PARAMETER="/test/stripe-api-key"):
        yield stand_in
