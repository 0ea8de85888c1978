"""Which setups of a key and its account refuse the connection, for each kind of key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.trading.connection import refusals_of_setup
from shared.trading.readiness import AccountSetup

SOUND = AccountSetup(
    can_trade=True,
    futures_enabled=True,
    withdrawals_enabled=False,
    portfolio_margin=False,
    hedge_mode=False,
    multi_assets_margin=False,
    ip_restricted=True,
)


@pytest.mark.parametrize(
    ("changes", "automated", "read_only"),
    [
        ({}, [], []),
        ({"withdrawals_enabled": True}, ["WITHDRAWALS_ENABLED"], ["WITHDRAWALS_ENABLED"]),
        ({"ip_restricted": False}, ["IP_UNRESTRICTED"], ["IP_UNRESTRICTED"]),
        ({"hedge_mode": True}, ["HEDGE_MODE"], []),
        ({"multi_assets_margin": True}, ["MULTI_ASSETS_MARGIN"], []),
        ({"portfolio_margin": True}, ["PORTFOLIO_MARGIN"], []),
        ({"can_trade": False}, ["FUTURES_DISABLED"], []),
        ({"futures_enabled": False}, ["FUTURES_DISABLED"], ["FUTURES_DISABLED"]),
        (
            {"withdrawals_enabled": True, "hedge_mode": True, "ip_restricted": False},
            ["WITHDRAWALS_ENABLED", "HEDGE_MODE", "IP_UNRESTRICTED"],
            ["WITHDRAWALS_ENABLED", "IP_UNRESTRICTED"],
        ),
    ],
)
def test_setup_refuses_a_futures_key(changes: dict[str, Any], automated: list[str], read_only: list[str]) -> None:
    setup = replace(SOUND, **changes)

    assert refusals_of_setup(setup, futures=True, automated=True) == automated
    assert refusals_of_setup(setup, futures=True, automated=False) == read_only


def test_spot_key_needs_no_right_to_trade_futures() -> None:
    setup = replace(SOUND, futures_enabled=False, hedge_mode=True)

    assert refusals_of_setup(setup, futures=False, automated=False) == []
