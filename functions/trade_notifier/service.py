"""Turns one event of an execution into a notice for its user. Queues notices; trades nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict, assert_never

from shared.clock import to_iso
from shared.errors import LockstepError
from shared.models.execution import Execution
from shared.notifications import reasons
from shared.notifications.notice_types import EntryRefused, PositionClosed, PositionOpened, PositionReduced
from shared.notifications.notices import notify
from shared.notifications.reasons import Refusal
from shared.notifications.recipients import to_user
from shared.observability import logger
from shared.trading.execution import ExecutionState, Reason
from shared.trading.sides import Side


class ExecutionMissing(LockstepError):
    """An event names an execution that is not stored."""


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to an execution."""

    execution_id: str
    state: ExecutionState
    reason: str | None
    at: datetime


def notify_of(event: Event) -> None:
    """Queue the notice of an event, if it is one that users are notified of; repeatable."""
    match event.state:
        case ExecutionState.PROTECTED if event.reason == Reason.REDUCED:
            _notify_reduced(event)
        case ExecutionState.PROTECTED:
            _notify_opened(event)
        case ExecutionState.CLOSED:
            _notify_closed(event)
        case ExecutionState.DENIED | ExecutionState.REJECTED | ExecutionState.FAILED:
            _notify_refused(event, _refusal(event))
        case (
            ExecutionState.QUEUED
            | ExecutionState.ENTERING
            | ExecutionState.ENTRY_UNKNOWN
            | ExecutionState.UNPROTECTED
            | ExecutionState.CLOSING
            | ExecutionState.FLATTENING
            | ExecutionState.DONE
        ):
            logger.debug("event_not_told", execution_id=event.execution_id, state=event.state)
        case _:
            assert_never(event.state)


def _notify_opened(event: Event) -> None:
    execution = _execution(event)
    # A renewed stop has the same cause: the notice is sent when the position is first protected.
    values = PositionOpened(
        **_trade_of(execution),
        amount=execution.filled_amount,
        ordered_amount=execution.amount if event.reason == Reason.FILLED_IN_PART else None,
        entry_price=execution.entry_price,
        stop=execution.stop,
        take_profits=tuple(execution.take_profits),
        callback_rate_pct=execution.callback_rate,
        at=event.at,
    )
    notify(values, to=to_user(execution.user_id), cause=execution.id, at=event.at)


def _notify_reduced(event: Event) -> None:
    execution = _execution(event)
    values = PositionReduced(
        **_trade_of(execution), amount=execution.filled_amount, amount_left=execution.amount_left, at=event.at
    )
    notify(values, to=to_user(execution.user_id), cause=f"{execution.id} {to_iso(event.at)}", at=event.at)


def _notify_closed(event: Event) -> None:
    execution = _execution(event)
    if execution.filled_amount is None:
        refusal = reasons.WITHOUT_POSITION.get(execution.reason or "")
        if refusal is not None:
            _notify_refused(event, refusal)
            return
    values = PositionClosed(
        **_trade_of(execution),
        amount=execution.filled_amount,
        entry_price=execution.entry_price,
        exit_price=execution.exit_price,
        profit=execution.profit,
        profit_pct=execution.profit_pct,
        reason=reasons.CLOSE_TEXTS.get(execution.close_reason or "", reasons.CLOSE_REASON_UNKNOWN),
        at=event.at,
    )
    notify(values, to=to_user(execution.user_id), cause=execution.id, at=event.at)


def _notify_refused(event: Event, refusal: Refusal | None) -> None:
    if refusal is None:
        return
    execution = _execution(event)
    cause = execution.id
    if refusal.persistent:
        cause = f"{execution.follower_id} {event.reason} {event.at.date().isoformat()}"
    text = refusal.text
    if refusal.once:
        cause = f"{execution.follower_id} {event.reason} {execution.detail}"
        text = f"{text} ({execution.detail})"
    values = EntryRefused(**_trade_of(execution), reason=text, at=event.at)
    notify(values, to=to_user(execution.user_id), cause=cause, at=event.at)


class _Trade(TypedDict):
    strategy_name: str
    key_name: str
    symbol: str
    long: bool


def _trade_of(execution: Execution) -> _Trade:
    return {
        "strategy_name": execution.strategy_name,
        "key_name": execution.key_name,
        "symbol": execution.symbol,
        "long": execution.side is Side.BUY,
    }


def _refusal(event: Event) -> Refusal | None:
    otherwise = reasons.FAILED if event.state is ExecutionState.FAILED else reasons.REJECTED
    return reasons.REFUSALS.get(event.reason or "", otherwise)


def _execution(event: Event) -> Execution:
    execution = Execution.find(event.execution_id)
    if execution is None:
        raise ExecutionMissing(event.execution_id)
    return execution
