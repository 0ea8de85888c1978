"""The paper exchange as capacity is measured on it: what each purpose weighs, and how each position fared."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from local.capacity import purposes
from local.capacity.purposes import Purpose
from local.paper_exchange.server import Request
from local.paper_exchange.weights import Pool
from local.simulation.chances import Chances
from local.simulation.clock import SimulatedClock
from local.simulation.connections import ExchangeSession
from local.simulation.exchange import WatchedExchange
from local.simulation.naked import is_protected
from local.simulation.trace import Trace


@dataclass(frozen=True, slots=True)
class Standing:
    """An account's position on a symbol, from a time (Unix milliseconds) on."""

    since_ms: int
    sign: int
    """1 for long, -1 for short, 0 for flat; less than one step is flat."""
    is_protected: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that left for the exchange."""

    at_ms: int
    address: str
    api_key: str
    """Empty for a public request."""
    purpose: Purpose
    weight: int


class MeasuredExchange(WatchedExchange):
    """Keeps every request's weight and purpose, and the history of every position."""

    def __init__(self, clock: SimulatedClock, chances: Chances, trace: Trace) -> None:
        super().__init__(clock, chances, trace)
        self.sent: list[Sent] = []
        self.history: dict[tuple[str, str], list[Standing]] = defaultdict(list)

    def note(self, request: Request) -> None:
        """Keep a request that is being sent, if it counts among those of USD-M futures."""
        if not request.path.startswith(Pool.FUTURES):
            return
        self.sent.append(
            Sent(
                at_ms=self.wall_ms(),
                address=request.address,
                api_key=request.api_key or "",
                purpose=purposes.present(),
                weight=self.weight_of(request),
            )
        )

    def forget_counts(self) -> None:
        """Reset the counted weights, as a new minute does, and bans."""
        self._limits.reset()

    def counted(self, lane: str) -> int:
        """Return what the exchange has counted of a lane's address in its present minute."""
        settings, now_ms = self.venue.settings, self.now_ms()
        return self._limits.take_weight(lane, Pool.FUTURES, 0, settings=settings, now_ms=now_ms)

    def weight_by_purpose(self, *, from_ms: int, until_ms: int) -> dict[str, int]:
        """Return what each purpose has weighed in that time, all addresses together."""
        weights: Counter[str] = Counter()
        for one in self.sent:
            if from_ms <= one.at_ms < until_ms:
                weights[one.purpose.value] += one.weight
        return {purpose.value: weights[purpose.value] for purpose in Purpose if weights[purpose.value]}

    def standing_at(self, api_key: str, symbol: str, at_ms: int) -> Standing:
        """Return how the position stood at a time."""
        known = [one for one in self.history[api_key, symbol] if one.since_ms <= at_ms]
        return known[-1] if known else Standing(0, 0, is_protected=False)

    def _check_stop(self, api_key: str | None, symbol: str) -> None:
        super()._check_stop(api_key, symbol)
        account, listed = self.venue.find_account(api_key), self.venue.symbol(symbol)
        if account is None or listed is None:
            return
        amount = account.position(symbol).amount
        sign = 0 if abs(amount) < listed.step else 1 if amount > 0 else -1
        now = Standing(self.wall_ms(), sign, bool(sign) and is_protected(account, symbol, amount))
        known = self.history[account.api_key, symbol]
        if not known or (known[-1].sign, known[-1].is_protected) != (now.sign, now.is_protected):
            known.append(now)


@dataclass(slots=True)
class MeasuredSession(ExchangeSession):
    """Keeps what leaves through it."""

    async def send(self, request: Request):  # type: ignore[no-untyped-def]  # the answer's class is private
        """Keep the request, then deliver it."""
        assert isinstance(self.exchange, MeasuredExchange)  # noqa: S101 - made together
        self.exchange.note(request)
        return await ExchangeSession.send(self, request)
