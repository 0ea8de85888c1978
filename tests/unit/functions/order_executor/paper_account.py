"""The order executor on the paper exchange in this process, so that months pass in seconds."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from unittest import mock

from functions.order_executor import account_cache
from functions.order_executor.collecting import History
from functions.order_executor.ledger import Ledger
from local.paper_exchange import account_routes, order_routes
from local.paper_exchange.accounts import Account
from local.paper_exchange.faults import parse_fault
from local.paper_exchange.orders import Income, IncomeType
from local.paper_exchange.server import PaperExchange
from local.simulation import trace
from local.simulation.chances import Chances
from local.simulation.conditions import Conditions
from local.simulation.connections import ExchangeSession
from local.simulation.exchange import WatchedExchange
from shared.exchange import markets, transport
from shared.exchange.futures import FuturesAccount
from shared.exchange.server_clock import server_clock
from shared.messages import Command
from shared.models.execution import Execution
from shared.trading.sides import Side
from tests.environment import environment
from tests.unit.functions.order_executor.harness import Harness, harness

DAY_S = 24 * 3600
_ROUTES = account_routes.ROUTES | order_routes.ROUTES


@dataclass
class PaperAccount:
    """One follower's account on an exchange of its own; BTC/USDT trades at 20000, BNB at 300."""

    executor: Harness
    exchange: PaperExchange

    @property
    def account(self) -> Account:
        """The account at the exchange."""
        return next(iter(self.exchange.venue.accounts.values()))

    @property
    def wallet(self) -> Decimal:
        """The futures wallet in USDT."""
        return self.account.balances["USDT"]

    def control(self, **settings: Any) -> None:
        """Change the exchange's settings."""
        self.exchange.controls.change_settings(settings)

    def pass_days(self, days: float) -> None:
        """Let time pass; the exchange pays funding at its hours."""
        self.executor.advance(days * DAY_S)
        self.exchange._follow_clock(self.exchange.now_ms())

    def hold(self, execution: Execution, *, days: int, step: int = 6) -> Execution:
        """Let time pass, and have the position reconciled every few days."""
        for _ in range(0, days, step):
            self.pass_days(step)
            execution = self.reconcile(execution)
        return execution

    def reconcile(self, execution: Execution) -> Execution:
        """Let a worker reconcile the execution; return it as it is stored then."""
        return self.executor.handle(execution, Command.RECONCILE)

    def move_price(self, price: str, symbol: str = "BTCUSDT") -> None:
        """Move the market."""
        self.exchange.controls.set_price(symbol, {"price": price}, self.exchange.now_ms())

    def trade_as_owner(self, side: Side, quantity: str) -> None:
        """Trade at the market as the account's owner."""
        self.executor.run(self._trade(side, quantity))

    async def _trade(self, side: Side, quantity: str) -> None:
        account = await _account_of()
        order = {"symbol": "BTCUSDT", "side": side.value, "type": "MARKET", "quantity": quantity}
        await transport.call(account._client, "fapiPrivatePostOrder", order, timeout_s=3)

    def cancel_stops_as_owner(self) -> None:
        """Cancel the conditional orders as the account's owner."""

        async def cancel() -> None:
            account = await _account_of()
            await transport.call(account._client, "fapiPrivateDeleteAlgoOpenOrders", {"symbol": "BTCUSDT"}, timeout_s=3)

        self.executor.run(cancel())

    async def open_history(self, ledger: Ledger) -> History:
        """Return the history of an execution as another worker reads it."""
        return await History.open(ledger, await _account_of())

    def fail(self, path: str, *, times: int = 1) -> None:
        """Answer the next GET requests of a path with 503."""
        fault = {"kind": "http", "method": "GET", "path": path, "times": times, "status": 503, "msg": "Unknown error"}
        self.exchange.faults.plan(parse_fault(fault))

    def incomes(self, *kinds: IncomeType) -> list[Income]:
        """Return the exchange's incomes of some kinds, however old."""
        return [income for income in self.account.incomes if income.income_type in kinds]

    @contextmanager
    def counted(self) -> Iterator[Counter[str]]:
        """Count the requests meanwhile."""
        before, made = Counter(self.account.requests), Counter[str]()
        yield made
        made.update(Counter(self.account.requests) - before)


def weight_of(requests: Counter[str]) -> int:
    """Return the weight of requests on the futures paths."""
    weights = {f"{method} {path}": route.weight for (method, path), route in _ROUTES.items()}
    return sum(count * weights.get(request, 0) for request, count in requests.items())


async def _account_of(*_: Any, **__: Any) -> FuturesAccount:
    return await FuturesAccount.open(api_key=_KEY, secret=_KEY)


_KEY = "a" * 64


@contextmanager
def paper_account(*, balance: str = "11507", **also: Any) -> Iterator[PaperAccount]:
    """Run the executor of this process on simulated time, for an account on a paper exchange in this process."""
    with harness() as executor, environment(EXCHANGE_URL="http://exchange"):
        chances = Chances(random.Random(1))  # noqa: S311 - the same course in every run
        exchange = WatchedExchange(executor.clock, chances, trace.Trace())
        exchange.faults = exchange.controls.faults = type(exchange.controls.faults).__mro__[1]()
        exchange.controls.change_settings({"limits_enabled": False})
        body = {"apiKey": _KEY, "secret": _KEY, "balances": {"USDT": balance} | also.pop("balances", {})}
        exchange.controls.create_account(body | also, exchange.now_ms())
        markets.forget()
        server_clock.reset()
        with (
            mock.patch.object(account_cache, "account_of", _account_of),
            mock.patch.object(transport, "_session", ExchangeSession(exchange, chances, Conditions().one_way_s)),
            mock.patch.object(transport, "_session_loop", executor.loop),
        ):
            yield PaperAccount(executor, exchange)
        markets.forget()
        server_clock.reset()
