"""The notices of a trade: entries, closes and refusals, each sent once."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from functions.trade_notifier import service
from functions.trade_notifier.app import NoticesNotQueued, lambda_handler
from functions.trade_notifier.service import Event, notify_of
from shared.models.execution import Execution, open_shard_of, trigger_partition
from shared.models.notice import Notice
from shared.notifications import reasons
from shared.notifications.notice_types import (
    EntryRefused,
    NoticeKind,
    NoticeValues,
    PositionClosed,
    PositionOpened,
    PositionReduced,
    from_json,
)
from shared.trading.execution import CloseReason, DenialReason, ExecutionState, Reason, exchange_reason, is_active
from shared.trading.sides import Side, StopType, StrategySource
from tests.lambda_context import FakeContext
from tests.unit.in_process_aws import Queues
from tests.unit.notifications.samples import AT
from tests.unit.records import USER_ID

EXECUTION_ID = "c21d890e-87b6-424d-b010-929612e17011"
CONTEXT = FakeContext()


def an_execution(state: ExecutionState = ExecutionState.PROTECTED, **values: Any) -> Execution:
    usual: dict[str, Any] = {
        "id": EXECUTION_ID,
        "state": state,
        "trigger_id": "trigger",
        "trigger_part": trigger_partition("trigger", EXECUTION_ID),
        "seq": 1,
        "strategy_source": StrategySource.TRADINGVIEW,
        "strategy_id": "strategy",
        "strategy_name": "DEMO",
        "follower_id": "follower",
        "follower_key": "key",
        "user_id": USER_ID,
        "api_key_id": "api-key",
        "key_name": "Default",
        "exchange_id": "BINANCE",
        "symbol": "BTC/USDT",
        "risk_profile_id": "profile",
        "risk_pct": Decimal("1.5"),
        "side": Side.BUY,
        "order_price": Decimal(20000),
        "stop": Decimal(19700),
        "stop_type": StopType.MARKET,
        "take_profits": [Decimal(20300)],
        "filled_amount": Decimal("0.536"),
        "entry_price": Decimal("20001.5"),
        "received_at": AT,
        "created_key": "created",
        "created_at": AT,
        "updated_at": AT,
    }
    if is_active(state):
        usual |= {"open_shard": open_shard_of(EXECUTION_ID), "due_at": AT}
    execution = Execution(**(usual | values))
    execution.save()
    return execution


def happened(state: ExecutionState, reason: str | None = None, *, at: datetime = AT) -> None:
    notify_of(Event(execution_id=EXECUTION_ID, state=state, reason=reason, at=at))


def notices() -> list[NoticeValues]:
    notices = list(Notice.scan())
    assert {notice.recipient for notice in notices} <= {f"user#{USER_ID}"}
    return [from_json(NoticeKind(notice.kind), notice.content) for notice in notices]


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path("events/trade_notifier") / f"{name}.json").read_text())
    return found


def test_entry_is_notified_when_it_is_protected(tables: Queues) -> None:
    an_execution()
    lambda_handler(sample("protected"), CONTEXT)
    (opened,) = notices()
    assert isinstance(opened, PositionOpened)
    assert (opened.amount, opened.entry_price, opened.stop) == (Decimal("0.536"), Decimal("20001.5"), Decimal(19700))
    assert (opened.strategy_name, opened.key_name, opened.long) == ("DEMO", "Default", True)
    assert len(tables.sent_to(tables.notices)) == 1


def test_renewed_stop_sends_no_second_notice(tables: Queues) -> None:
    an_execution()
    happened(ExecutionState.PROTECTED)
    happened(ExecutionState.PROTECTED, at=AT + timedelta(hours=3))
    assert len(notices()) == 1


def test_each_reduction_is_notified_once_with_what_is_left(tables: Queues) -> None:
    an_execution(amount_left=Decimal("0.268"))
    for after in (timedelta(), timedelta(), timedelta(hours=1)):
        happened(ExecutionState.PROTECTED, Reason.REDUCED, at=AT + after)
    first, second = notices()
    assert isinstance(first, PositionReduced)
    assert isinstance(second, PositionReduced)
    assert (first.amount, first.amount_left, first.long) == (Decimal("0.536"), Decimal("0.268"), True)
    assert {first.at, second.at} == {AT, AT + timedelta(hours=1)}


def test_close_is_notified_with_its_profit_and_reason(tables: Queues) -> None:
    an_execution(
        ExecutionState.CLOSED,
        exit_price=Decimal(19700),
        profit=Decimal("-166.1"),
        profit_pct=Decimal("-1.55"),
        close_reason=CloseReason.STOP,
    )
    lambda_handler(sample("closed"), CONTEXT)
    (closed,) = notices()
    assert isinstance(closed, PositionClosed)
    assert (closed.profit, closed.profit_pct, closed.reason) == (
        Decimal("-166.1"),
        Decimal("-1.55"),
        "The stop closed it.",
    )


def test_entry_that_opened_nothing_is_notified_as_refused(tables: Queues) -> None:
    an_execution(
        ExecutionState.CLOSED, filled_amount=None, entry_price=None, reason="ENTRY_UNKNOWN", detail="proven absent"
    )
    happened(ExecutionState.CLOSED, "ENTRY_UNKNOWN")
    (refused,) = notices()
    assert isinstance(refused, EntryRefused)
    assert refused.reason == reasons.ENTRY_NOT_CONFIRMED.text


def test_unexplained_close_is_notified_without_figures(tables: Queues) -> None:
    an_execution(ExecutionState.CLOSED, reason="FILLS_UNKNOWN")
    happened(ExecutionState.CLOSED, "FILLS_UNKNOWN")
    (closed,) = notices()
    assert isinstance(closed, PositionClosed)
    assert (closed.profit, closed.reason) == (None, reasons.CLOSE_REASON_UNKNOWN)


def test_refusal_is_notified_in_plain_words(tables: Queues) -> None:
    an_execution(ExecutionState.DENIED, filled_amount=None, entry_price=None)
    lambda_handler(sample("denied"), CONTEXT)
    (refused,) = notices()
    assert isinstance(refused, EntryRefused)
    assert refused.reason == "The market had moved too far from the alert's price."


@pytest.mark.parametrize(
    ("state", "reason", "text"),
    [
        (ExecutionState.REJECTED, "EXCHANGE_2019", "Your account has not enough margin."),
        (ExecutionState.REJECTED, "EXCHANGE_4131", reasons.REJECTED.text),
        (ExecutionState.FAILED, "EXCHANGE_UNAVAILABLE", "The exchange could not be reached."),
        (ExecutionState.FAILED, "SOMETHING_NEW", reasons.FAILED.text),
    ],
)
def test_exchange_refusals_and_our_faults_are_notified(
    tables: Queues, state: ExecutionState, reason: str, text: str
) -> None:
    an_execution(state, filled_amount=None, entry_price=None)
    happened(state, reason)
    assert [one.reason for one in notices() if isinstance(one, EntryRefused)] == [text]


@pytest.mark.parametrize("reason", [one for one in DenialReason if reasons.REFUSALS[one] is None])
def test_refusal_without_a_text_is_not_notified(tables: Queues, reason: DenialReason) -> None:
    an_execution(ExecutionState.DENIED)
    happened(ExecutionState.DENIED, reason)
    assert notices() == []


def test_persistent_refusal_is_notified_once_a_day(tables: Queues) -> None:
    an_execution(ExecutionState.DENIED)
    for hours in (0, 1, 2, 24, 25):
        happened(ExecutionState.DENIED, DenialReason.HEDGE_MODE, at=AT + timedelta(hours=hours))
    assert len(notices()) == 2


def test_limit_of_losses_is_notified_once_however_many_alerts_it_denies(tables: Queues) -> None:
    an_execution(ExecutionState.DENIED, detail="until 2026-11-30T10:00:00.000Z")
    for hours in (0, 1, 25):
        happened(ExecutionState.DENIED, DenialReason.LOSS_LIMIT, at=AT + timedelta(hours=hours))
    (told,) = notices()
    assert isinstance(told, EntryRefused)
    assert "until 2026-11-30T10:00:00.000Z" in told.reason
    an_execution(ExecutionState.DENIED, detail="until 2026-12-09T10:00:00.000Z")
    happened(ExecutionState.DENIED, DenialReason.LOSS_LIMIT, at=AT + timedelta(days=9))
    assert len(notices()) == 2


@pytest.mark.parametrize(
    "state",
    [one for one in ExecutionState if is_active(one) and one is not ExecutionState.PROTECTED],
)
def test_intermediate_states_are_not_notified(tables: Queues, state: ExecutionState) -> None:
    an_execution()
    happened(state)
    assert notices() == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-2019, "margin"),
        (-2027, "lower leverage"),
        (-4192, "cooling-off period"),
        (-4400, "only close positions"),
        (-4411, "agreement"),
    ],
)
def test_refusal_that_only_the_owner_can_mend_says_what_to_do(tables: Queues, code: int, words: str) -> None:
    an_execution(ExecutionState.REJECTED, reason=exchange_reason(code))
    happened(ExecutionState.REJECTED, exchange_reason(code))
    (refused,) = notices()
    assert isinstance(refused, EntryRefused)
    assert words in refused.reason


def test_multi_assets_mode_is_told_with_advice_that_every_account_can_follow(tables: Queues) -> None:
    an_execution(ExecutionState.DENIED, reason=DenialReason.MULTI_ASSETS_MARGIN)
    happened(ExecutionState.DENIED, DenialReason.MULTI_ASSETS_MARGIN)
    (refused,) = notices()
    assert isinstance(refused, EntryRefused)
    assert "if the exchange lets you" in refused.reason
    assert "credits (BNFCR) cannot leave the mode: use another account" in refused.reason


def test_every_denial_reason_has_an_entry() -> None:
    assert set(DenialReason) <= set(reasons.REFUSALS)
    assert set(CloseReason) - set(reasons.CLOSE_TEXTS) == {CloseReason.ENTRY_UNKNOWN}


def test_repeated_batch_notifies_once(tables: Queues) -> None:
    an_execution()
    lambda_handler(sample("protected"), CONTEXT)
    lambda_handler(sample("protected"), CONTEXT)
    assert len(notices()) == 1


def test_batch_with_a_failing_event_is_delivered_again_and_notifies_of_the_others(tables: Queues) -> None:
    an_execution()
    records = [*sample("malformed")["Records"], *sample("protected")["Records"]]
    with pytest.raises(NoticesNotQueued):
        lambda_handler({"Records": records}, CONTEXT)
    assert len(notices()) == 1


def test_event_of_an_unknown_execution_is_delivered_again(tables: Queues) -> None:
    with pytest.raises(service.ExecutionMissing):
        happened(ExecutionState.PROTECTED)
