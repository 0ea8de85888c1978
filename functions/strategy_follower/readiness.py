"""Says what an alert would do for a follower now, by the rules of `shared.admission`. Trades nothing.

The account is read as before an entry, and the verdict is recorded: an account that its owner has mended is traded with
the next alert.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from functions.strategy_follower.account_reading import AccountReading, read_account
from functions.strategy_follower.prospect import context_of, imagined_execution, usual_stop_of
from functions.strategy_follower.schemas import AmountAt, ReadinessItem, Reason
from shared import admission, losses
from shared.admission import EntryContext
from shared.api.exchange_access import UNREACHABLE
from shared.clock import utc_now
from shared.config import settings
from shared.ending_followers import open_executions
from shared.errors import ExchangeError, NotFound, OrderDenied, ServiceUnavailable
from shared.exchange import account_queries
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.position_slot import PositionSlot
from shared.models.strategy import Strategy
from shared.notifications.reasons import text_of
from shared.trading.entry_price import MarketPrices
from shared.trading.execution import DenialReason
from shared.trading.ids import parse_client_order_id
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal
from shared.trading.usual_stop import UsualStop

ANY_STOP = UsualStop(Decimal("0.01"), StopType.MARKET)
"""The stop of an alert whose entry is judged and not sized, because the strategy has shown no stop yet."""
ANY_PRICE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an alert would do: every reason why nothing would be opened, or the entry's size."""

    denials: tuple[DenialReason, ...]
    amount_at: AmountAt | None


def judge(follower: Follower) -> Judgement:
    """Return what an alert of the follower's strategy would do now, at the market's price and with the usual stop.

    Raise NotFound if the strategy or the key is gone, and ServiceUnavailable if the exchange cannot be asked now.
    """
    strategy, key = Strategy.find(follower.strategy_id), ExchangeKey.find(follower.api_key_id)
    if strategy is None or key is None:
        raise NotFound(f"strategy or key of follower {follower.id}")
    usual = usual_stop_of(strategy.id)
    reading = read_account(key, symbol=follower.symbol)
    price = reading.view.prices.last if reading.view is not None else ANY_PRICE
    execution = imagined_execution(follower, strategy, (usual or ANY_STOP).signal_at(price, side=Side.BUY))
    context = context_of(follower, execution)
    denials = [*own_denials(context, execution), *denials_of_account(reading, execution)]
    denials += _denials_by_losses(context, execution, reading)
    if open_executions(follower):
        denials.append(OrderDenied(DenialReason.ALREADY_IN_POSITION))
    amount_at = None
    if usual is not None:
        try:
            amount_at = _size(context, execution, reading)
        except OrderDenied as denied:
            denials.append(denied)
    found = tuple(dict.fromkeys(DenialReason(denied.reason) for denied in denials))
    return Judgement(found, None if found else amount_at)


def own_denials(context: EntryContext, execution: Execution) -> Iterator[OrderDenied]:
    """Yield why our own records forbid an entry."""
    yield from admission.follower_denials(context, execution)
    try:
        admission.admit_owner(context)
    except OrderDenied as denied:
        yield denied


def readiness_item(judgement: Judgement) -> ReadinessItem:
    """Return the judgement as it is answered."""
    return {
        "ready": not judgement.denials,
        "reasons": reasons_of(judgement.denials),
        "amountAt": judgement.amount_at,
    }


def reasons_of(denials: Sequence[DenialReason]) -> list[Reason]:
    """Return reasons with their words."""
    return [Reason(code=reason.value, msg=text_of(reason)) for reason in denials]


def denials_of_account(reading: AccountReading, execution: Execution) -> Iterator[OrderDenied]:
    """Yield why the account, as it was read, forbids an entry."""
    if reading.denied is not None:
        yield OrderDenied(reading.denied)
    view = reading.view
    if view is None:
        return
    yield from (OrderDenied(reason) for reason in admission.judge_view(view).reasons)
    try:
        admission.admit_balance(view.wallet_balance, max_balance_usd=execution.max_balance_usd)
    except OrderDenied as denied:
        yield denied
    slot = PositionSlot.find(execution.api_key_id, execution.symbol)
    ours = slot is not None and slot.execution_id is not None
    if not ours and (view.position_amount or any(_is_foreign(order.client_order_id) for order in view.open_orders)):
        yield OrderDenied(DenialReason.FOREIGN_POSITION)


def _denials_by_losses(context: EntryContext, execution: Execution, reading: AccountReading) -> Iterator[OrderDenied]:
    """Yield that the follower's limit of losses is reached. A position of its own would be closed before an entry."""
    if reading.view is None or not losses.limits_losses(execution):
        return
    held = losses.read_held(execution)
    prices = {execution.symbol: reading.view.prices}
    for symbol in losses.symbols_of(held):
        if symbol not in prices:
            prices[symbol] = _market_prices(execution.exchange_id, symbol)
    reached = losses.judge(execution, context.results, held, prices, wallet=reading.view.wallet_balance)
    if reached is not None:
        yield losses.denial_of(reached)


def _market_prices(exchange_id: str, symbol: str) -> MarketPrices:
    try:
        last = account_queries.market_price(exchange_id=exchange_id, symbol=symbol)
    except ExchangeError as error:
        raise ServiceUnavailable(UNREACHABLE) from error
    return MarketPrices(last=last, bid=last, ask=last)


def _is_foreign(client_order_id: str) -> bool:
    return parse_client_order_id(client_order_id, prefix=settings().broker_prefix) is None


def _size(context: EntryContext, execution: Execution, reading: AccountReading) -> AmountAt | None:
    """Return the entry's size; raise OrderDenied where the market or the size forbids it."""
    if context.key is None or reading.view is None or reading.filters is None:
        return None
    view, filters = reading.view, reading.filters
    now = utc_now()
    admission.admit_market(context, execution, filters=filters, prices=view.prices, now=now)
    taker_rate = context.key.taker_rate(execution.symbol, now=now)
    sized = admission.size(execution, view, filters, taker_rate=taker_rate)
    signal: Signal = execution.signal()
    return {
        "side": signal.side,
        "orderPrice": signal.order_price,
        "stop": signal.stop,
        "amount": sized.amount,
        "notional": sized.notional_usdt,
        "risk": sized.risk_usdt,
        "caps": list(sized.caps),
        "atMinimum": sized.at_minimum,
    }
