"""Following a strategy, what an alert would do, and the end of it: against the executor on the paper exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from functions.strategy_follower import changing, following, readiness
from functions.strategy_follower.readiness import readiness_item
from functions.strategy_follower.schemas import FollowerChange
from shared.errors import AccessDenied, RequestUnprocessable, ServiceUnavailable
from shared.messages import Command
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.follower import Follower, FollowerMode
from shared.models.key_readiness import KeyReadiness
from shared.models.notice import Notice
from shared.models.plan import Plan
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.user import User
from shared.notifications.notice_types import AccountChange, AccountChanged, NoticeKind, from_json
from shared.notifications.recipients import to_user
from shared.trading.execution import CloseReason, DenialReason, ExecutionState
from shared.trading.readiness import Verdict
from shared.trading.sides import Side
from tests import builders
from tests.builders import saved
from tests.integration.account.requests import (
    Credentials,
    a_user,
    codes_of,
    connect,
    everything_stored,
    follow,
    open_account,
)
from tests.integration.executor.world import Person, VenueAccount, World


class Owner:
    """A user with a connected key and an account at the exchange, who follows the world's strategy."""

    def __init__(self, world: World, *, balance: str = "10000", **plan: Any) -> None:
        self.world = world
        self.user: User = a_user(**plan)
        self.account: Credentials = open_account(world, balance=balance)
        self.key: ExchangeKey = connect(self.user, self.account)
        self.profile: RiskProfile = saved(builders.risk_profile())

    def follow(self, strategy: Strategy | None = None) -> Follower:
        follower = Follower.find_by_id(follow(self.user, strategy or self.world.strategy, self.key, self.profile))
        assert follower is not None
        return follower

    def set_account(self, **setup: Any) -> None:
        self.world.exchange.control("PUT", f"/paper/accounts/{self.account.api_key}", setup)

    def queue(self, follower: Follower, side: Side = Side.BUY) -> Execution:
        """Queue the execution of a new alert, as the fan-out does."""
        plan = Plan.get(self.user.plan_id or "")
        world_plan, self.world.plan = self.world.plan, plan
        try:
            person = Person(user=self.user, key=self.key, record=follower)
            return self.world.queue_execution(person, self.world.trigger(side))
        finally:
            self.world.plan = world_plan

    def at_exchange(self, follower: Follower) -> VenueAccount:
        return self.world.account(Person(user=self.user, key=self.key, record=follower))

    def alert(self, follower: Follower, side: Side = Side.BUY) -> Execution:
        """Let the executor handle a new alert; return the execution then."""
        execution = self.queue(follower, side)
        self.world.deliver(execution)
        return self.world.stored(execution)


def changes_of(user: User) -> list[AccountChange]:
    """Return what the user's events say that was changed, oldest first."""
    found = [one for one in Notice.scan(consistent_read=True) if one.recipient == to_user(user.id)]
    values = [from_json(NoticeKind(one.kind), one.content) for one in sorted(found, key=lambda one: one.recorded_at)]
    return [one.what for one in values if isinstance(one, AccountChanged)]


def stored(follower: Follower) -> Follower | None:
    return Follower.find(follower.strategy_id, follower.created_key)


def test_who_follows_is_in_the_next_alert_at_the_size_that_was_shown(world: World) -> None:
    owner = Owner(world)
    world.trigger(Side.BUY)  # shows the strategy's usual stop: 1 %
    follower = owner.follow()

    shown = readiness_item(readiness.judge(follower))
    execution = owner.alert(follower)

    assert shown["ready"] is True
    assert shown["reasons"] == []
    assert shown["amountAt"] is not None
    assert shown["amountAt"]["orderPrice"] == 20000
    assert shown["amountAt"]["stop"] == 19800
    assert execution.state is ExecutionState.PROTECTED
    assert execution.amount == shown["amountAt"]["amount"] > 0


def test_amount_is_unknown_before_the_strategys_first_alert(world: World) -> None:
    shown = readiness_item(readiness.judge(Owner(world).follow(saved(builders.strategy()))))

    assert shown == {"ready": True, "reasons": [], "amountAt": None}


@pytest.mark.parametrize(
    ("setup", "reason"),
    [
        ({"dualSidePosition": True}, "HEDGE_MODE"),
        ({"canWithdraw": True}, "WITHDRAWALS_ENABLED"),
        ({"multiAssetsMargin": True}, "MULTI_ASSETS_MARGIN"),
        ({"balances": {"USDT": "0"}}, "NO_EQUITY"),
        ({"balances": {"USDT": "50"}}, "BELOW_MINIMUM"),
        ({"balances": {"USDT": "60000"}}, "BALANCE_OVER_PLAN_MAXIMUM"),
    ],
)
def test_reasons_that_are_shown_are_those_of_the_executor(world: World, setup: dict[str, Any], reason: str) -> None:
    owner = Owner(world)
    world.trigger(Side.BUY)
    follower = owner.follow()
    owner.set_account(**setup)

    shown = readiness_item(readiness.judge(follower))
    execution = owner.alert(follower)

    assert [one["code"] for one in shown["reasons"]][:1] == [reason]
    assert all(one["msg"] for one in shown["reasons"])
    assert (shown["ready"], shown["amountAt"]) == (False, None)
    assert (execution.state, execution.reason) == (ExecutionState.DENIED, reason)


def test_mended_account_is_ready_at_once_and_enters_although_a_verdict_denied_it(world: World) -> None:
    owner = Owner(world)
    follower = owner.follow()
    KeyReadiness.record(
        owner.key, Verdict((DenialReason.HEDGE_MODE,)), details={}, checked_at=KeyReadiness.get(owner.key.id).checked_at
    )
    owner.set_account(dualSidePosition=True)
    assert owner.alert(follower).reason == DenialReason.HEDGE_MODE
    owner.set_account(dualSidePosition=False)

    assert readiness.judge(follower).denials == ()

    assert owner.alert(follower).state is ExecutionState.PROTECTED


def test_readiness_knows_the_followers_settings(world: World) -> None:
    owner = Owner(world)
    world.trigger(Side.BUY)
    follower = owner.follow()
    body = {"maxNotional": 1000, "lossLimit": {"day": 1}, "belowMinimum": "MINIMUM"}
    changing.change_follower(owner.user, follower, FollowerChange.model_validate(body), cause="a request")

    amount_at = readiness.judge(follower).amount_at
    assert amount_at is not None
    assert (amount_at["amount"], amount_at["caps"], amount_at["atMinimum"]) == (
        Decimal("0.049"),
        ["MAX_NOTIONAL"],
        False,
    )

    owner.set_account(balances={"USDT": "50"})
    amount_at = readiness.judge(follower).amount_at
    assert amount_at is not None
    assert (amount_at["amount"], amount_at["atMinimum"]) == (Decimal("0.005"), True)

    execution = owner.alert(follower)
    assert (execution.amount, execution.at_minimum) == (Decimal("0.005"), True)
    world.exchange.move_price("19790")  # the stop closes it: more than 1 % of 50 USDT
    world.deliver(execution, command=Command.RECONCILE)
    world.exchange.move_price("20000")

    assert readiness.judge(follower).denials == (DenialReason.LOSS_LIMIT,)
    assert owner.alert(follower).reason == DenialReason.LOSS_LIMIT


def test_open_position_is_shown_as_one(world: World) -> None:
    owner = Owner(world)
    follower = owner.follow()
    owner.alert(follower)

    assert readiness.judge(follower).denials == (DenialReason.ALREADY_IN_POSITION,)


def test_readiness_of_an_exchange_out_of_reach_is_503(world: World) -> None:
    owner = Owner(world)
    follower = owner.follow()
    world.exchange.plan_fault("http", path="/fapi/v2/account", method="GET", times=3)

    with pytest.raises(ServiceUnavailable):
        readiness.judge(follower)


@pytest.mark.parametrize(
    ("balance", "plan", "code"),
    [
        ("10000", {"strategy_automated": False}, "PLAN_WITHOUT_AUTOMATION"),
        ("10000", {"max_balance_usd": 5000}, "BALANCE_OVER_PLAN_MAXIMUM"),
    ],
)
def test_plan_refuses_to_follow(world: World, balance: str, plan: dict[str, Any], code: str) -> None:
    owner = Owner(world, balance=balance, **plan)
    before = everything_stored()

    with pytest.raises(RequestUnprocessable) as refused:
        owner.follow()

    assert codes_of(refused.value) == [code]
    after = everything_stored()
    assert {name: rows for name, rows in after.items() if name != "KeyReadiness"} == {
        name: rows for name, rows in before.items() if name != "KeyReadiness"
    }


def test_inactive_strategy_is_not_followed(world: World) -> None:
    owner = Owner(world)

    with pytest.raises(RequestUnprocessable) as refused:
        owner.follow(saved(builders.strategy(active=False)))

    assert codes_of(refused.value) == ["STRATEGY_INACTIVE"]
    assert refused.value.faults[0]["param"] == "strategyId"


def test_somebody_elses_key_does_not_follow(world: World) -> None:
    owner, other = Owner(world), Owner(world)
    owner.key = other.key

    with pytest.raises(RequestUnprocessable) as refused:
        owner.follow()

    assert codes_of(refused.value) == ["KEY_UNKNOWN"]


def test_unfit_account_does_not_follow_and_an_empty_one_does(world: World) -> None:
    owner, empty = Owner(world), Owner(world, balance="0")
    owner.set_account(dualSidePosition=True)

    with pytest.raises(RequestUnprocessable) as refused:
        owner.follow()

    assert codes_of(refused.value) == ["HEDGE_MODE"]
    assert empty.follow().active


def test_second_strategy_of_a_symbol_is_refused_and_another_symbol_is_not(world: World) -> None:
    owner = Owner(world)
    owner.follow()

    with pytest.raises(RequestUnprocessable) as refused:
        owner.follow(saved(builders.strategy(symbol="BTC/USDT")))

    assert codes_of(refused.value) == ["SYMBOL_FOLLOWED"]
    assert owner.follow(saved(builders.strategy(symbol="ETH/USDT"))).symbol == "ETH/USDT"


def test_claim_refuses_a_second_follower_while_the_indexes_lag(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(world)
    owner.follow()
    monkeypatch.setattr(Follower, "find_by_id", lambda *_: None)
    monkeypatch.setattr(following, "_follows", lambda *_: False)

    with pytest.raises(RequestUnprocessable) as refused:
        owner.follow(saved(builders.strategy(symbol="BTC/USDT")))

    assert codes_of(refused.value) == ["SYMBOL_FOLLOWED"]


def test_ended_follow_can_be_followed_again(world: World) -> None:
    owner = Owner(world)
    follower = owner.follow()

    assert changing.end_following(follower, close=False, delivery="one")["status"] == "ENDED"

    assert stored(follower) is None
    assert owner.follow().id != follower.id
    begun = AccountChange.FOLLOWING_BEGUN
    assert changes_of(owner.user) == [AccountChange.KEY_CONNECTED, begun, AccountChange.FOLLOWING_ENDED, begun]


def test_kept_position_has_its_stop_until_it_ends_and_then_the_follower_goes(world: World) -> None:
    owner = Owner(world)
    follower = owner.follow()
    execution = owner.alert(follower)

    ended = changing.end_following(follower, close=False, delivery="one")

    assert (ended["status"], ended["items"]) == ("ENDING", [])
    assert owner.at_exchange(follower).stops
    with pytest.raises(RequestUnprocessable):
        owner.follow()  # the account's position is the old follower's still

    world.exchange.move_price("19700")
    world.deliver(execution, command=Command.RECONCILE)

    assert world.stored(execution).close_reason == CloseReason.STOP
    assert stored(follower) is None
    assert owner.follow().active


def test_closed_position_is_flat_and_the_follower_gone(world: World) -> None:
    owner = Owner(world)
    follower = owner.follow()
    execution = owner.alert(follower)

    ended = changing.end_following(follower, close=True, delivery="one")
    assert ended["items"] == [{"id": execution.id, "strategyFollowId": follower.id, "status": "CLOSING"}]
    world.deliver(execution, command=Command.CLOSE)

    closed = world.stored(execution)
    assert (closed.state, closed.close_reason) == (ExecutionState.CLOSED, CloseReason.USER)
    assert owner.at_exchange(follower).flat
    assert stored(follower) is None


def test_position_closed_now_leaves_the_follower(world: World) -> None:
    owner = Owner(world)
    follower = owner.follow()
    execution = owner.alert(follower)

    assert [one["id"] for one in changing.close_position(follower, delivery="one")["items"]] == [execution.id]
    world.deliver(execution, command=Command.CLOSE)

    assert owner.at_exchange(follower).flat
    assert stored(follower) is not None


def test_mode_and_profile_count_from_the_next_alert_on(world: World) -> None:
    owner = Owner(world)
    follower = owner.follow()
    profile = saved(builders.risk_profile(name="BOLD", percentage=Decimal(3)))
    fields = {"mode": "EXITS_ONLY", "riskProfileId": profile.id}

    answer = changing.change_follower(
        owner.user, follower, FollowerChange.model_validate(fields, context={"raw": fields}), cause="a request"
    )

    assert (answer["mode"], answer["StrategyRiskProfile"]["id"]) == (FollowerMode.EXITS_ONLY, profile.id)
    assert readiness.judge(follower).denials == (DenialReason.EXITS_ONLY,)
    assert owner.alert(follower).reason == DenialReason.EXITS_ONLY


def test_disabled_user_may_leave_and_not_come_back(world: World) -> None:
    owner = Owner(world)
    follower = owner.follow()
    owner.user.set_active(False)

    def change(mode: str) -> None:
        fields = {"mode": mode}
        body = FollowerChange.model_validate(fields, context={"raw": fields})
        changing.change_follower(owner.user, follower, body, cause="a request")

    change("EXITS_ONLY")
    with pytest.raises(AccessDenied):
        change("ACTIVE")
    assert changing.end_following(follower, close=False, delivery="one")["status"] == "ENDED"
