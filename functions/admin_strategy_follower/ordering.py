"""Turns an admin's new orders and exits into a trigger, stored and queued like an alert's. Sizes and trades nothing.

Whether each follower may trade is the order executor's decision, as with an alert, and is recorded in the execution.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import uuid4

from functions.admin_strategy_follower.schemas import ExitOrder, NewOrders, QueuedExit, QueuedItems
from functions.admin_strategy_follower.service import find_strategy
from shared.acceptance import accept_admin_order, requeue_if_pending
from shared.api.exchange_access import UNREACHABLE
from shared.api.idempotency import IdempotentRequest
from shared.api.json_text import read_json, write_json
from shared.api.requests import Fault, fault
from shared.clock import utc_now
from shared.concurrency import run_concurrently
from shared.errors import ExchangeError, NotFound, RecordChanged, RequestUnprocessable, ServiceUnavailable
from shared.models.follower import Follower
from shared.models.strategy import Strategy
from shared.observability import logger
from shared.trading.exits import Exit
from shared.trading.ids import execution_id
from shared.trading.signal import Signal, check_geometry


def find_follower(follower_id: str) -> Follower:
    """Return the follower; raise NotFound."""
    follower = Follower.find_by_id(follower_id)
    if follower is None:
        raise NotFound(f"follower {follower_id} does not exist")
    return follower


def place_orders(follower: Follower, body: NewOrders, *, repeatable: IdempotentRequest | None) -> QueuedItems:
    """Queue the orders for the follower and for those listed, each once, or for nobody; raise the request's faults.

    A repeat under the same idempotency key gets the first answer, even if the market has passed the prices since.
    """
    answered = _first_answer(repeatable, at=utc_now())
    if answered is not None:
        return {"items": answered["items"]}
    strategy = find_strategy(follower.strategy_id)
    market_price = _market_price(strategy)
    signal = Signal(
        side=body.side,
        order_price=market_price,
        stop=body.stop_price,
        stop_type=body.stop_type,
        take_profits=tuple(body.take_profit_prices),
    )
    faults = [*_price_faults(signal, body), *_follower_faults(strategy, body.strategy_follow_ids)]
    if faults:
        raise RequestUnprocessable(faults)
    follower_ids = _named(follower, body.strategy_follow_ids)
    return {"items": _accept(strategy, signal, follower_ids, repeatable=repeatable)["items"]}


def place_exit(
    follower: Follower, asked: Exit, chosen: ExitOrder, *, repeatable: IdempotentRequest | None
) -> QueuedExit:
    """Queue the exit for the follower and for those listed, or for all of the strategy; raise the request's faults."""
    answered = _first_answer(repeatable, at=utc_now())
    if answered is not None:
        return answered
    strategy, listed = find_strategy(follower.strategy_id), chosen.strategy_follow_ids
    faults = _follower_faults(strategy, listed)
    if chosen.all_followers and listed:
        faults = [fault("must not use with allFollowers", param="strategyFollowIds", location="body", value=listed)]
    if faults:
        raise RequestUnprocessable(faults)
    follower_ids = None if chosen.all_followers else _named(follower, listed)
    return _accept(strategy, asked, follower_ids, repeatable=repeatable)


def _named(follower: Follower, listed: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([follower.id, *listed]))


def _accept(
    strategy: Strategy,
    instruction: Signal | Exit,
    follower_ids: Sequence[str] | None,
    *,
    repeatable: IdempotentRequest | None,
) -> QueuedExit:
    """Store and queue the trigger, and return the answer; None are all followers."""
    now, trigger_id = utc_now(), str(uuid4())
    answer: QueuedExit = {
        "triggerId": trigger_id,
        "items": [
            {"id": execution_id(trigger_id, one), "strategyFollowId": one, "status": "QUEUED"}
            for one in follower_ids or ()
        ],
    }
    try:
        accept_admin_order(
            strategy,
            instruction,
            follower_ids=follower_ids,
            received_at=now,
            trigger_id=trigger_id,
            also=None if repeatable is None else repeatable.save_answer(write_json(answer), at=now),
        )
    except RecordChanged as error:
        # The same request, sent at the same moment, was stored first.
        answered = _first_answer(repeatable, at=now)
        if answered is None:
            raise ServiceUnavailable(
                "the strategy's orders are changing too fast, please repeat the request"
            ) from error
        return answered
    chosen = "all" if follower_ids is None else len(follower_ids)
    logger.info("admin_orders_accepted", strategy_id=strategy.id, trigger_id=trigger_id, followers=chosen)
    return answer


def _first_answer(repeatable: IdempotentRequest | None, *, at: datetime) -> QueuedExit | None:
    stored = None if repeatable is None else repeatable.first_answer(at=at)
    if stored is None:
        return None
    answer: QueuedExit = read_json(stored)
    requeue_if_pending(answer["triggerId"])
    return answer


def _market_price(strategy: Strategy) -> Decimal:
    # The import loads the exchange's client, which no other route of this function needs.
    from shared.exchange import account_queries  # noqa: PLC0415

    try:
        return account_queries.market_price(exchange_id=strategy.exchange_id, symbol=strategy.symbol)
    except ExchangeError as error:
        logger.warning("exchange_not_reached", strategy_id=strategy.id, error=type(error).__name__, code=error.code)
        raise ServiceUnavailable(UNREACHABLE) from error


def _price_faults(signal: Signal, body: NewOrders) -> list[Fault]:
    """Return the prices on the wrong side of the market."""
    faults = []
    for path, message in check_geometry(signal, price_name="market price"):
        if path == "stop":
            faults.append(fault(message, param="stopPrice", location="body", value=body.stop_price))
        else:
            index = int(path.rpartition(".")[2])
            value = body.take_profit_prices[index]
            faults.append(fault(message, param=f"takeProfitPrices[{index}]", location="body", value=value))
    return faults


def _follower_faults(strategy: Strategy, follower_ids: Sequence[str]) -> list[Fault]:
    """Return the listed followers that do not follow the strategy."""
    found = run_concurrently(Follower.find_by_id, dict.fromkeys(follower_ids))
    known = {one.id for one in found if one is not None and one.strategy_id == strategy.id}
    return [
        fault("must be follower of the same strategy", param=f"strategyFollowIds[{index}]", location="body", value=one)
        for index, one in enumerate(follower_ids)
        if one not in known
    ]
