"""One account at the exchange has one owner on a symbol, however many keys lead to it.

All keys of the harness lead to the one account that it has.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.clock import utc_now
from shared.messages import Command
from shared.models.account_claim import AccountClaim
from shared.models.exchange_key import ExchangeKey, StrategyType
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.trading.execution import CloseReason, DenialReason, ExecutionState
from shared.trading.ids import Leg
from shared.trading.sides import Side
from tests import builders
from tests.builders import saved
from tests.unit.functions.order_executor.harness import Harness

SYMBOL = "BTC/USDT"


def alias_of(executor: Harness) -> str:
    alias = executor.key.account_alias
    assert alias is not None
    return alias


def second_follower(executor: Harness, **key: Any) -> Follower:
    """Store a follower with another key of the same account."""
    usual: dict[str, Any] = {
        "user_id": executor.user.id,
        "api_key": "second",
        "account": {"apiKey": "second", "alias": alias_of(executor)},
    }
    return saved(executor.another_follower(api_key_id=saved(builders.exchange_key(**(usual | key))).id))


def forget_account(executor: Harness) -> None:
    """Leave the key as it was before the names of accounts were recorded."""
    executor.key.update(actions=[ExchangeKey.account.remove()])
    for claim in AccountClaim.scan():
        claim.delete()


def reason(execution: Execution) -> str | None:
    assert execution.state is ExecutionState.DENIED, (execution.state, execution.reason, execution.detail)
    return execution.reason


# -- two keys of one account -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", list(Side))
def test_second_key_is_denied_before_any_request_and_the_position_is_untouched(executor: Harness, side: Side) -> None:
    held = executor.open()
    executor.account.requests.clear()

    second = executor.handle(executor.queue(side, follower=second_follower(executor)))

    assert reason(second) == DenialReason.ACCOUNT_IN_USE
    assert executor.account.requests == []
    assert executor.now(held).state is ExecutionState.PROTECTED
    assert executor.book.position == executor.now(held).filled_amount


def test_second_key_may_enter_after_the_first_ones_position_has_ended(executor: Harness) -> None:
    first = executor.open()
    executor.book.move_price(19800)
    assert executor.reconcile(first).state is ExecutionState.CLOSED
    executor.book.move_price(20000)

    second = executor.open(follower=second_follower(executor))

    assert executor.book.position == second.filled_amount
    assert reason(executor.handle(executor.queue())) == DenialReason.ACCOUNT_IN_USE


def test_key_that_is_denied_does_not_keep_the_account(executor: Harness) -> None:
    executor.book.place_stop_as_owner(Side.SELL, 19000)
    assert reason(executor.handle(executor.queue())) == DenialReason.FOREIGN_POSITION
    for order in executor.book.standing():
        executor.book.cancel_as_owner(order.client_order_id)

    assert executor.open(follower=second_follower(executor)).state is ExecutionState.PROTECTED


def test_entry_without_an_answer_keeps_the_account_while_it_may_still_fill(executor: Harness) -> None:
    unknown = executor.crash("place", Leg.ENTRY, done=False)

    assert reason(executor.handle(executor.queue(follower=second_follower(executor)))) == DenialReason.ACCOUNT_IN_USE

    assert executor.now(unknown).active


def test_manual_key_of_the_same_account_is_fine(executor: Harness) -> None:
    manual = second_follower(executor, strategy_type=StrategyType.MANUAL)
    assert reason(executor.handle(executor.queue(follower=manual))) == DenialReason.KEY_INACTIVE

    assert executor.open().state is ExecutionState.PROTECTED


def test_key_of_another_account_is_not_in_the_way(executor: Harness) -> None:
    executor.open()
    other = second_follower(executor, account={"apiKey": "second", "alias": "another account"})

    second = executor.handle(executor.queue(follower=other))

    # In the tests' account it meets the position; its own account would have none.
    assert reason(second) == DenialReason.FOREIGN_POSITION


# -- both at once ------------------------------------------------------------------------------------------------------


def claim_for(executor: Harness, holder: Execution) -> None:
    AccountClaim(
        alias_of(executor), SYMBOL, api_key_id=holder.api_key_id, execution_id=holder.id, claimed_at=utc_now()
    ).save()


@pytest.mark.parametrize("request_name", ["is_trading", "read"])
def test_key_that_was_slower_by_a_moment_sends_nothing(executor: Harness, request_name: str) -> None:
    faster = executor.queue(follower=second_follower(executor))
    executor.account.meanwhile(request_name, lambda: claim_for(executor, faster))

    slower = executor.handle(executor.queue())

    assert reason(slower) == DenialReason.ACCOUNT_IN_USE
    assert executor.book.orders == {}
    assert executor.orders(slower) == []


def test_key_that_meets_the_position_of_a_faster_one_says_whose_it_is(executor: Harness) -> None:
    faster = executor.queue(follower=second_follower(executor))

    def enter() -> None:
        claim_for(executor, faster)
        executor.book.trade_as_owner(Side.BUY, "0.1")

    executor.account.meanwhile("read", enter)

    assert reason(executor.handle(executor.queue())) == DenialReason.ACCOUNT_IN_USE


def test_orders_of_the_other_keys_position_are_no_leftovers(executor: Harness) -> None:
    held = executor.open(follower=second_follower(executor))
    orders = executor.book.standing()
    AccountClaim(alias_of(executor), SYMBOL).delete()  # as if it had been read a moment before it was made
    executor.book.position = Decimal(0)  # the exchange's answer is from before the fill

    denied = executor.handle(executor.queue())

    assert reason(denied) == DenialReason.ACCOUNT_IN_USE
    assert executor.book.standing() == orders
    assert executor.now(held).active


# -- accounts whose name is not known yet ------------------------------------------------------------------------------


def test_entry_is_denied_while_the_account_is_unknown_and_the_key_is_inspected(executor: Harness) -> None:
    forget_account(executor)
    executor.account.requests.clear()

    execution = executor.handle(executor.queue())

    assert reason(execution) == DenialReason.ACCOUNT_UNKNOWN
    assert executor.account.requests == []
    assert [body for body, _ in executor.sent.bodies if body.get("api_key_id") == executor.key.id]


def test_name_that_was_read_with_an_earlier_api_key_counts_for_nothing(executor: Harness) -> None:
    executor.key.update(actions=[ExchangeKey.api_key.set("replaced")])

    assert reason(executor.handle(executor.queue())) == DenialReason.ACCOUNT_UNKNOWN


def test_opposite_alert_closes_the_position_of_an_unknown_account_and_enters_nothing(executor: Harness) -> None:
    long = executor.open(Side.BUY)
    forget_account(executor)

    short = executor.handle(executor.queue(Side.SELL))

    assert reason(short) == DenialReason.ACCOUNT_UNKNOWN
    assert executor.now(long).close_reason == CloseReason.OPPOSITE
    assert executor.book.position == 0
    assert executor.book.standing() == []


def test_position_of_an_unknown_account_keeps_its_stop_and_can_be_closed(executor: Harness) -> None:
    held = executor.open()
    forget_account(executor)
    [stop] = executor.book.standing(Leg.STOP)
    executor.book.cancel_as_owner(stop.client_order_id)

    assert executor.reconcile(held).state is ExecutionState.PROTECTED
    assert len(executor.book.standing(Leg.STOP)) == 1

    executor.request_close(held)
    assert executor.handle(held, Command.CLOSE).state is ExecutionState.CLOSED
    assert executor.book.position == 0
