"""The asynchronous client: a burst of followers at once, each with its own key, on one shared session."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp
import ccxt.async_support as ccxt_async
import pytest

from tests.integration.paper_exchange.trader import BTC, Trader, redirect

FOLLOWERS = 12


async def protect(client: Any) -> None:
    """Enter, stop, take profit: the requests of one follower."""
    await client.create_order(BTC, "market", "buy", 0.3)
    await client.create_order(BTC, "STOP_MARKET", "sell", None, None, {"triggerPrice": 19_500, "closePosition": True})
    await client.create_orders(
        [
            {
                "symbol": BTC,
                "type": "limit",
                "side": "sell",
                "amount": 0.1,
                "price": price,
                "params": {"reduceOnly": True},
            }
            for price in (20_500, 20_600, 20_700)
        ]
    )


async def protect_all(traders: list[Trader], markets_from: Any) -> None:
    context = ssl.create_default_context()
    async with aiohttp.ClientSession() as session:
        clients = []
        for trader in traders:
            client = ccxt_async.binanceusdm(
                {
                    "apiKey": trader.api_key,
                    "secret": trader.secret,
                    "enableRateLimit": False,
                    "session": session,
                    "ssl_context": context,
                }
            )
            client.own_session = False
            client.set_markets_from_exchange(markets_from)
            clients.append(redirect(client, trader.exchange.url))
        await asyncio.gather(*(protect(client) for client in clients))


def test_burst_of_followers_is_protected_each_in_its_own_account(
    new_trader: Callable[..., Trader], loaded_markets: Any
) -> None:
    traders = [new_trader() for _ in range(FOLLOWERS)]
    asyncio.run(protect_all(traders, loaded_markets))
    for trader in traders:
        seen = trader.snapshot()
        assert [row["amount"] for row in seen["positions"]] == ["0.3"]
        assert len(seen["openOrders"]) == 4
    traders[0].exchange.move_price("19000")
    for trader in traders:
        assert trader.held() == "0"
        assert trader.wallet() == pytest.approx("9695.32000000")


def test_async_client_sees_dropped_connections_as_unknown_outcomes(trader: Trader, loaded_markets: Any) -> None:
    async def send() -> None:
        client = redirect(
            ccxt_async.binanceusdm({"apiKey": trader.api_key, "secret": trader.secret, "enableRateLimit": False}),
            trader.exchange.url,
        )
        client.set_markets_from_exchange(loaded_markets)
        try:
            await client.create_order(BTC, "market", "buy", 0.1)
        finally:
            await client.close()

    trader.exchange.plan_fault("drop_after")
    with pytest.raises((ccxt_async.NetworkError, ccxt_async.ExchangeError)):
        asyncio.run(send())
    assert trader.held() == "0.1"
