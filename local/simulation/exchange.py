"""The paper exchange in this process, whose lists sometimes lag, with a record of positions without a stop."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from local.paper_exchange import margin
from local.paper_exchange.faults import Fault, FaultKind
from local.paper_exchange.server import Answer, PaperExchange, Request
from local.paper_exchange.venue import Venue
from local.simulation.chances import Chances
from local.simulation.clock import SimulatedClock
from local.simulation.naked import NakedRecord
from local.simulation.refusals import RefusedOrder, refused_order
from local.simulation.request_faults import RandomFaults
from local.simulation.trace import Trace

_LAG_MS = 1_500
_LAGGING = {
    "/fapi/v1/userTrades": "time",
    "/fapi/v1/allOrders": "time",
    "/fapi/v1/openOrders": "time",
    "/fapi/v1/allAlgoOrders": "createTime",
    "/fapi/v1/openAlgoOrders": "createTime",
}
_POSITIONS = "/fapi/v3/positionRisk"
_ACCOUNT = "/fapi/v2/account"
_PRICE = "/fapi/v1/ticker/price"
_OK = 200
_LIMIT_STATUSES = (418, 429)


@dataclass(frozen=True, slots=True)
class OverLimit:
    """A request that the exchange refused because its address, or its account, had sent too many."""

    address: str
    request: str
    at_ms: int
    status: int = 429


class WatchedExchange(PaperExchange):
    """The paper exchange, whose lists sometimes lag, with a record of positions without a stop."""

    def __init__(self, clock: SimulatedClock, chances: Chances, trace: Trace) -> None:
        super().__init__(Venue())
        self._clock = clock
        self.random_faults = RandomFaults(clock, chances)
        self.faults = self.random_faults
        self.controls.faults = self.random_faults
        self._chances = chances
        self._trace = trace
        self.naked = NakedRecord()
        self.over_limit: list[OverLimit] = []
        self.refused_orders: list[RefusedOrder] = []
        self.prices_read: dict[str, list[tuple[int, Decimal]]] = defaultdict(list)
        """The last price of each symbol whenever somebody read it: Unix milliseconds, and the price."""
        self.equities: dict[str, list[tuple[int, Decimal]]] = defaultdict(list)
        """What each account was worth whenever it was read: Unix milliseconds, and the smaller of its balances."""
        self.amounts_held: dict[tuple[str, str], list[tuple[int, Decimal]]] = defaultdict(list)
        """What each account held of each symbol, from which time on."""

    async def serve(self, request: Request) -> tuple[Answer, Fault | None]:
        """Run a request with the fault that is drawn for it, and return the answer when it is due."""
        self.random_faults.address = request.address
        answer, fault = await super().serve(request)
        if fault is not None and fault.kind is FaultKind.CODE:
            self._record_refusal(request, answer)  # `run` does not see it
        return answer, fault

    def run(self, request: Request, fault: Fault | None = None, *, checked_at_ms: int | None = None) -> Answer:
        """Run a request as the exchange does, then check the account's stops."""
        answer = super().run(request, fault, checked_at_ms=checked_at_ms)
        self._trace.record(self._clock.monotonic(), request, fault, answer.status, answer.body)
        if answer.status in _LIMIT_STATUSES:
            self._chances.happened[f"exchange: over the limit, {answer.status}"] += 1
            self.over_limit.append(
                OverLimit(request.address, f"{request.method} {request.path}", self.wall_ms(), answer.status)
            )
        self._record_refusal(request, answer)
        if request.method != "GET":
            self.check_stops(request.api_key)
            return answer
        if request.path == _ACCOUNT and answer.status == _OK:
            self._record_equity(request.api_key)
        if request.path == _PRICE and answer.status == _OK:
            row = json.loads(answer.body)
            self.prices_read[row["symbol"]].append((self.wall_ms(), Decimal(row["price"])))
        lags = request.path in _LAGGING or request.path == _POSITIONS
        if lags and answer.status == _OK and self._chances.happens(self._chances.exchange_fault / 2, "exchange: lags"):
            return self._lagging(request, answer)
        return answer

    def _record_refusal(self, request: Request, answer: Answer) -> None:
        refused = refused_order(request, answer, at_ms=self.wall_ms())
        if refused is not None:
            self.refused_orders.append(refused)

    def wall_ms(self) -> int:
        """Return the simulation's time, which the exchange's clock may be ahead of."""
        return self._clock.time_ns() // 1_000_000

    def follow_clock(self) -> None:
        """Carry out what the time alone brings about, without a request."""
        self._follow_clock(self.now_ms())

    def move_price(self, symbol: str, price: Decimal) -> None:
        """Move the market, then check every account's stop."""
        self.controls.set_price(symbol, {"price": str(price)}, self.now_ms())
        for account in self.venue.accounts.values():
            self._check_stop(account.api_key, symbol)

    def move_mark_price(self, symbol: str, price: Decimal) -> None:
        """Move the mark price alone, then check every account's stop."""
        self.controls.set_price(symbol, {"markPrice": str(price)}, self.now_ms())
        for account in self.venue.accounts.values():
            self._check_stop(account.api_key, symbol)

    def check_stops(self, api_key: str | None) -> None:
        """Record whether the account's positions have their stops now."""
        account = self.venue.find_account(api_key)
        for position in list(account.positions.values()) if account is not None else ():
            self._check_stop(api_key, position.symbol)

    def _check_stop(self, api_key: str | None, symbol: str) -> None:
        account, listed = self.venue.find_account(api_key), self.venue.symbol(symbol)
        if account is None or listed is None:
            return
        amount, known = account.position(symbol).amount, self.amounts_held[account.api_key, symbol]
        if not known or known[-1][1] != amount:
            known.append((self.wall_ms(), amount))
        self.naked.check(account, listed, self.wall_ms())

    def _record_equity(self, api_key: str | None) -> None:
        account = self.venue.find_account(api_key)
        if account is not None:
            summary = margin.summarise(self.venue, account)
            equity = min(summary.wallet, summary.margin_balance)
            self.equities[account.api_key].append((self.wall_ms(), equity))

    def _lagging(self, request: Request, answer: Answer) -> Answer:
        rows = json.loads(answer.body)
        if request.path in _LAGGING:
            horizon_ms = self.now_ms() - _LAG_MS
            rows = [row for row in rows if row[_LAGGING[request.path]] < horizon_ms]
        else:
            rows = [{**row, "positionAmt": str(was)} for row in rows if (was := self._amount_before(request, row))]
        return Answer(answer.status, json.dumps(rows).encode(), answer.headers)

    def _amount_before(self, request: Request, row: dict[str, str]) -> Decimal:
        account = self.venue.find_account(request.api_key)
        horizon_ms = self.wall_ms() - _LAG_MS
        known = self.amounts_held[account.api_key, row["symbol"]] if account is not None else []
        before = [amount for at_ms, amount in known if at_ms < horizon_ms]
        return before[-1] if before else Decimal(0)
