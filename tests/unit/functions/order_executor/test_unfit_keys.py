"""A verdict of the last hour that denies spares an unfit key's entries every request, and none of its exits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from shared.clock import utc_now
from shared.models.exchange_key import ExchangeKey
from shared.models.follower import Follower
from shared.models.key_readiness import KeyReadiness
from shared.trading.execution import CloseReason, DenialReason, ExecutionState
from shared.trading.readiness import DENIES_FOR, Verdict
from shared.trading.sides import Side
from tests.unit.functions.order_executor.harness import Harness

_MINUTE = timedelta(minutes=1)


def judge(executor: Harness, *reasons: DenialReason, age: timedelta = _MINUTE, **details: Any) -> None:
    KeyReadiness.record(executor.key, Verdict(reasons), details=details, checked_at=utc_now() - age)


def test_unfit_key_is_denied_without_a_request(executor: Harness) -> None:
    judge(executor, DenialReason.HEDGE_MODE, DenialReason.MULTI_ASSETS_MARGIN)

    execution = executor.handle(executor.queue())

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, DenialReason.HEDGE_MODE)
    assert executor.account.requests == []


def test_opposite_position_of_an_unfit_key_is_closed_all_the_same(executor: Harness) -> None:
    long = executor.open(Side.BUY)
    executor.advance(1)
    judge(executor, DenialReason.WITHDRAWALS_ENABLED, age=timedelta(0))

    short = executor.handle(executor.queue(Side.SELL))

    assert short.reason == DenialReason.WITHDRAWALS_ENABLED
    assert executor.now(long).close_reason == CloseReason.OPPOSITE
    assert executor.book.position == 0


def test_older_verdict_is_read_anew_and_replaced(executor: Harness) -> None:
    judge(executor, DenialReason.HEDGE_MODE, age=DENIES_FOR + _MINUTE)

    assert executor.open().state is ExecutionState.PROTECTED

    assert KeyReadiness.get(executor.key.id).reasons == []


def test_verdict_that_an_entry_finds_again_denies_for_another_hour(executor: Harness) -> None:
    judge(executor, DenialReason.NO_EQUITY, age=DENIES_FOR + _MINUTE, margin_assets=["USDT"])
    executor.account.wallet *= 0
    assert executor.handle(executor.queue()).reason == DenialReason.NO_EQUITY
    executor.account.requests.clear()

    assert executor.handle(executor.queue()).reason == DenialReason.NO_EQUITY

    assert executor.account.requests == []


def test_verdict_on_an_api_key_that_was_replaced_denies_nothing(executor: Harness) -> None:
    judge(executor, DenialReason.HEDGE_MODE)
    account = {"apiKey": "replaced", "alias": executor.key.account_alias}
    executor.key.update(actions=[ExchangeKey.api_key.set("replaced"), ExchangeKey.account.set(account)])

    assert executor.open().state is ExecutionState.PROTECTED


def test_follower_that_is_switched_off_is_not_told_of_its_key(executor: Harness) -> None:
    judge(executor, DenialReason.HEDGE_MODE)
    executor.follower.update(actions=[Follower.active.set(False)])

    assert executor.handle(executor.queue()).reason == DenialReason.FOLLOWER_INACTIVE
