"""The floor and the peer: the same orders, sent all at once without a library, and sent in a loop with ccxt."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
import urllib.parse
from collections.abc import Sequence
from typing import Any

import aiohttp
import ccxt
import yarl

from local.bench.books import Account

SYMBOL = "BTCUSDT"
AMOUNT, BOUND, STOP, TARGETS = "0.500", "20010", "19700", (("0.166", "20300"), ("0.166", "20600"), ("0.168", "21000"))


async def send_raw(url: str, accounts: Sequence[Account]) -> None:
    """Send Lockstep's requests for every account at once, with aiohttp and HMAC alone: the floor.

    Prices are left out: Lockstep reads them once a second, for all accounts together.
    """
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(_send_one(session, url, account) for account in accounts))


async def _send_one(session: aiohttp.ClientSession, url: str, account: Account) -> None:
    async def call(method: str, path: str, **params: str) -> None:
        query = urllib.parse.urlencode(params | {"timestamp": str(int(time.time() * 1000)), "recvWindow": "5000"})
        signature = hmac.new(account.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": account.api_key}
        # `encoded`: quoting it again would change what was signed.
        address = yarl.URL(f"{url}{path}?{query}&signature={signature}", encoded=True)
        async with session.request(method, address, headers=headers) as answer:
            body = await answer.read()
            answer.raise_for_status()
            if b'"code":-' in body:
                raise ValueError(body.decode())

    await asyncio.gather(
        call("GET", "/fapi/v2/account"),
        call("GET", "/fapi/v1/openOrders", symbol=SYMBOL),
        call("GET", "/fapi/v1/openAlgoOrders", symbol=SYMBOL),
        call("GET", "/sapi/v1/account/apiRestrictions"),
    )
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "IOC", "price": BOUND, "quantity": AMOUNT}
    await call("POST", "/fapi/v1/order", newOrderRespType="RESULT", **order)
    stop = {"symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET", "algoType": "CONDITIONAL", "triggerPrice": STOP}
    await call("POST", "/fapi/v1/algoOrder", closePosition="true", **stop)
    limits = [
        {
            "symbol": SYMBOL,
            "side": "SELL",
            "type": "LIMIT",
            "quantity": amount,
            "price": price,
            "timeInForce": "GTC",
            "reduceOnly": "true",
        }
        for amount, price in TARGETS
    ]
    await asyncio.gather(*(call("POST", "/fapi/v1/order", **limit) for limit in limits))


def send_in_a_loop(url: str, accounts: Sequence[Account]) -> None:
    """Send one follower's orders after the other's with ccxt's unified, synchronous calls: the peer."""
    markets: Any = None
    for account in accounts:
        client = ccxt.binanceusdm(
            {
                "apiKey": account.api_key,
                "secret": account.secret,
                "enableRateLimit": False,
                "options": {"fetchCurrencies": False, "fetchMargins": False},
            }
        )
        client.urls["api"] = {
            name: url + "/" + address.split("/", 3)[3]
            for name, address in client.urls["api"].items()
            if isinstance(address, str) and address.count("/") > 2  # noqa: PLR2004 - scheme://host/path
        }
        if markets is None:
            client.load_markets()
            markets = client
        else:
            client.set_markets_from_exchange(markets)
        symbol = "BTC/USDT:USDT"
        client.fetch_balance()
        client.create_order(symbol, "market", "buy", float(AMOUNT))
        client.create_order(
            symbol, "stop_market", "sell", float(AMOUNT), None, {"stopPrice": STOP, "closePosition": True}
        )
        for amount, price in TARGETS:
            client.create_order(symbol, "limit", "sell", float(amount), float(price), {"reduceOnly": True})
