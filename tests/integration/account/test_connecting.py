"""Keys are inspected at the exchange before they are kept, and what is refused leaves nothing behind."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from shared.clock import utc_now
from shared.errors import RequestUnprocessable, ServiceUnavailable
from shared.exchange import lanes
from shared.key_deletion import KeyHasPosition, delete_key
from shared.models.account_claim import AccountClaim
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey, StrategyType
from shared.models.follower import Follower
from shared.models.key_readiness import KeyReadiness
from shared.models.unique_name import NameKind, UniqueName
from shared.models.user import User
from shared.secrets import SecretKind, unseal
from shared.trading.execution import ExecutionState
from shared.views import key_inspections
from tests import builders
from tests.builders import saved
from tests.integration.account.requests import (
    Credentials,
    a_user,
    change,
    codes_of,
    connect,
    everything_stored,
    further_key,
    open_account,
)
from tests.integration.executor.world import Person, World
from tests.integration.paper_exchange.exchange_process import ExchangeProcess

ACCOUNT = "/fapi/v3/account"


def test_sound_key_is_kept_sealed_with_its_account_and_its_verdict(world: World) -> None:
    user, credentials = a_user(), open_account(world)

    key = connect(user, credentials, name="My futures")

    assert (key.user_id, key.name, key.active, key.api_key_status) == (user.id, "My futures", True, "AUTHORIZED")
    assert unseal(key.secret_ciphertext, kind=SecretKind.EXCHANGE_KEY, owner_id=key.id) == credentials.secret
    assert key.account_alias is not None
    assert KeyReadiness.get(key.id).reasons == []
    assert User.get(user.id).api_key_ids == {key.id}
    account = UniqueName.find(UniqueName.exact_claim_key(NameKind.ACCOUNT, key.account_alias))
    assert account is not None
    assert account.owner_id == key.id


@pytest.mark.parametrize(
    ("setup", "codes"),
    [
        ({"canWithdraw": True}, ["WITHDRAWALS_ENABLED"]),
        ({"dualSidePosition": True}, ["HEDGE_MODE"]),
        ({"multiAssetsMargin": True}, ["MULTI_ASSETS_MARGIN"]),
        ({"enablePortfolioMarginTrading": True}, ["PORTFOLIO_MARGIN"]),
        ({"enableFutures": False}, ["FUTURES_DISABLED"]),
        ({"ipRestrict": False}, ["IP_UNRESTRICTED"]),
        ({"canWithdraw": True, "ipRestrict": False}, ["WITHDRAWALS_ENABLED", "IP_UNRESTRICTED"]),
    ],
)
def test_unfit_key_is_refused_with_every_code_and_nothing_is_kept(
    world: World, setup: dict[str, Any], codes: list[str]
) -> None:
    user, credentials = a_user(), open_account(world, **setup)
    before = everything_stored()

    with pytest.raises(RequestUnprocessable) as refused:
        connect(user, credentials)

    assert codes_of(refused.value) == codes
    assert all(one["msg"] and one["param"] == "apiKey" for one in refused.value.faults)
    assert everything_stored() == before


def test_key_that_the_exchange_refuses_is_not_kept(world: World) -> None:
    user, unknown = a_user(), Credentials()
    before = everything_stored()

    with pytest.raises(RequestUnprocessable) as refused:
        connect(user, unknown)

    assert codes_of(refused.value) == ["KEY_UNAUTHORIZED"]
    assert unknown.secret not in json.dumps(refused.value.faults)
    assert everything_stored() == before


def test_second_automatic_key_of_an_account_is_refused_and_a_manual_one_is_not(world: World) -> None:
    user, account = a_user(), open_account(world)
    connect(user, account)
    before = everything_stored()

    with pytest.raises(RequestUnprocessable) as refused:
        connect(a_user(), further_key(world, account))
    assert codes_of(refused.value) == ["ACCOUNT_IN_USE"]
    after = everything_stored()
    assert {name: rows for name, rows in after.items() if name not in {"User", "Plan"}} == {
        name: rows for name, rows in before.items() if name not in {"User", "Plan"}
    }

    manual = connect(user, further_key(world, account), strategyType="MANUAL")
    assert manual.strategy_type is StrategyType.MANUAL


def test_account_that_an_older_key_has_traded_is_in_use(world: World) -> None:
    account = open_account(world)
    older = connect(a_user(), account)
    alias = older.account_alias or ""
    UniqueName(UniqueName.exact_claim_key(NameKind.ACCOUNT, alias)).delete()  # keys had none at first
    AccountClaim(alias, "BTC/USDT", api_key_id=older.id, execution_id=str(uuid4()), claimed_at=utc_now()).save()

    with pytest.raises(RequestUnprocessable) as refused:
        connect(a_user(), further_key(world, account))
    assert codes_of(refused.value) == ["ACCOUNT_IN_USE"]

    older.delete()
    assert connect(a_user(), further_key(world, account)).account_alias == alias


def test_key_beyond_the_plan_is_refused_before_the_exchange_is_asked(world: World) -> None:
    user = a_user(max_api_key=1)
    connect(user, open_account(world))
    before = everything_stored()
    world.exchange.plan_fault("http", path=ACCOUNT, method="GET", status=500)

    with pytest.raises(RequestUnprocessable) as refused:
        connect(user, open_account(world))

    assert codes_of(refused.value) == ["PLAN_MAX_API_KEY"]
    assert everything_stored() == before


def test_spot_key_cannot_trade_automatically(world: World) -> None:
    with pytest.raises(RequestUnprocessable) as refused:
        connect(a_user(), open_account(world), tradeType="SPOT")

    assert codes_of(refused.value) == ["KEY_NOT_FUTURES"]


def test_exchange_out_of_reach_is_503_and_nothing_is_kept(world: World) -> None:
    user, credentials = a_user(), open_account(world)
    before = everything_stored()
    world.exchange.control(
        "POST",
        "/paper/faults",
        {"method": "GET", "path": ACCOUNT, "kind": "http", "times": 5, "apiKey": credentials.api_key},
    )

    with pytest.raises(ServiceUnavailable):
        connect(user, credentials)

    assert everything_stored() == before


def test_banned_lane_is_503_without_a_request(world: World) -> None:
    user, credentials = a_user(), open_account(world)
    EgressLane.ban(lanes.DEFAULT_LANE, until=utc_now().replace(year=utc_now().year + 1))
    lanes.forget()
    before = everything_stored()

    with pytest.raises(ServiceUnavailable):
        connect(user, credentials)

    assert everything_stored() == before
    assert world.exchange.control("GET", f"/paper/accounts/{credentials.api_key}")["requests"] == {}


def test_lane_whose_weight_entries_need_is_503_without_a_request(
    world: World, settings_from: Callable[..., None], paper_exchange: ExchangeProcess
) -> None:
    user, credentials = a_user(), open_account(world)
    settings_from(EXCHANGE_URL=paper_exchange.url, LANE_WEIGHT_PER_MINUTE="60")  # 30 for what can wait: less than 31
    lanes.forget()

    with pytest.raises(ServiceUnavailable):
        connect(user, credentials)

    assert world.exchange.control("GET", f"/paper/accounts/{credentials.api_key}")["requests"] == {}


def test_secret_is_in_no_record_and_no_log(world: World, log: io.StringIO) -> None:
    user, credentials = a_user(), open_account(world)

    key = connect(user, credentials)
    key_inspections.inspect_key(key)

    assert credentials.secret not in str(everything_stored())
    assert credentials.secret not in log.getvalue()


def test_replaced_secret_of_the_same_account_is_kept(world: World) -> None:
    user, account = a_user(), open_account(world)
    key, new = connect(user, account), further_key(world, account)

    changed = change(user, key, **new.body)

    assert changed.api_key == new.api_key
    assert changed.account_alias == key.account_alias
    assert unseal(changed.secret_ciphertext, kind=SecretKind.EXCHANGE_KEY, owner_id=key.id) == new.secret
    assert KeyReadiness.get(key.id).api_key == new.api_key
    # The old API key can be connected again, by whoever has it.
    assert UniqueName.find(UniqueName.exact_claim_key(NameKind.API_KEY, account.api_key)) is None


@pytest.mark.parametrize("futures_enabled", [True, False])
def test_spot_key_is_replaced_by_one_of_its_account_only(world: World, futures_enabled: bool) -> None:
    user, account = a_user(), open_account(world, enableFutures=futures_enabled)
    key = connect(user, account, tradeType="SPOT", strategyType="MANUAL")
    assert key.account_alias is not None
    before = everything_stored()
    with pytest.raises(RequestUnprocessable) as refused:
        change(user, key, **open_account(world).body)
    assert codes_of(refused.value) == ["OTHER_ACCOUNT"]
    assert everything_stored() == before
    new = further_key(world, account)
    assert change(user, key, **new.body).api_key == new.api_key


@pytest.mark.parametrize("way", ["inspected", "replaced"])
def test_spot_key_that_earlier_versions_recorded_with_its_futures_account_learns_its_own(
    world: World, way: str
) -> None:
    user, account = a_user(), open_account(world)
    key = connect(user, account, tradeType="SPOT", strategyType="MANUAL")
    spot_account = key.account_alias
    key.save_account_alias("a futures account")

    if way == "inspected":
        key_inspections.inspect_key(key)
    else:
        change(user, key, **further_key(world, account).body)

    key = ExchangeKey.get(key.id)
    assert key.account_alias == spot_account
    with pytest.raises(RequestUnprocessable) as refused:
        change(user, key, **open_account(world).body)
    assert codes_of(refused.value) == ["OTHER_ACCOUNT"]


def test_replaced_secret_of_another_account_is_refused(world: World) -> None:
    user = a_user()
    key = connect(user, open_account(world))
    before = everything_stored()

    with pytest.raises(RequestUnprocessable) as refused:
        change(user, key, **open_account(world).body)

    assert codes_of(refused.value) == ["OTHER_ACCOUNT"]
    assert everything_stored() == before


def test_replaced_secret_that_may_withdraw_is_refused(world: World) -> None:
    user, account = a_user(), open_account(world)
    key, new = connect(user, account), further_key(world, account)
    world.exchange.control("PUT", f"/paper/accounts/{new.api_key}", {"canWithdraw": True})

    with pytest.raises(RequestUnprocessable) as refused:
        change(user, key, **new.body)

    assert codes_of(refused.value) == ["WITHDRAWALS_ENABLED"]


def test_refused_key_is_in_use_again_with_an_api_key_that_the_exchange_accepts(world: World) -> None:
    user, account = a_user(), open_account(world)
    key = connect(user, account)
    refused = [*key.activation(active=False), ExchangeKey.deactivated_by_refusal.set(True)]
    key.update(actions=[*refused, ExchangeKey.api_key_status.set(ApiKeyStatus.UNAUTHORIZED)])

    changed = change(user, key, **further_key(world, account).body)

    assert (changed.active, changed.api_key_status) == (True, ApiKeyStatus.AUTHORIZED)


def test_key_that_its_user_switches_off_stays_off_until_the_user_switches_it_on(world: World) -> None:
    user, account = a_user(), open_account(world)
    key = connect(user, account)

    off = change(user, key, active=False)
    key_inspections.inspect_key(off)
    assert ExchangeKey.get(key.id, consistent_read=True).active is False

    assert change(user, off, active=True).active is True


def test_inspection_says_what_to_change_and_then_that_nothing_is(world: World) -> None:
    user, account = a_user(), open_account(world)
    key = connect(user, account)
    path = f"/paper/accounts/{account.api_key}"
    world.exchange.control("PUT", path, {"dualSidePosition": True, "ipRestrict": False})

    unfit = key_inspections.inspect_key(key)
    assert [one["code"] for one in unfit["reasons"]] == ["HEDGE_MODE"]
    assert [one["code"] for one in unfit["warnings"]] == ["IP_UNRESTRICTED"]
    assert "one-way" in unfit["reasons"][0]["msg"]
    assert KeyReadiness.get(key.id).reasons == ["HEDGE_MODE"]

    world.exchange.control("PUT", path, {"dualSidePosition": False, "ipRestrict": True})
    assert key_inspections.inspect_key(key)["ready"] is True


def position_of(world: World) -> tuple[Person, str]:
    """Open a position; return who holds it, and the execution's id."""
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    world.deliver(execution)
    assert world.stored(execution).state is ExecutionState.PROTECTED
    return person, execution.id


def test_key_with_a_position_is_not_deleted(world: World) -> None:
    person, execution_id = position_of(world)

    with pytest.raises(KeyHasPosition) as refused:
        delete_key(person.key)

    assert [one.id for one in refused.value.positions] == [execution_id]
    assert ExchangeKey.find(person.key.id) is not None
    assert Follower.find_by_id(person.record.id) is not None


def test_deleted_key_is_gone_with_its_secret_its_followers_and_its_claims(world: World) -> None:
    user, account = a_user(max_api_key=1), open_account(world)
    key = connect(user, account)
    follower = saved(builders.follower(strategy_id=world.strategy.id, api_key_id=key.id, user_id=user.id))

    delete_key(key)

    assert ExchangeKey.find(key.id) is None
    assert Follower.find(follower.strategy_id, follower.created_key) is None
    assert key.secret_ciphertext.hex() not in str(everything_stored())
    # The same key can be connected again, within the plan.
    assert connect(user, account).api_key == account.api_key
