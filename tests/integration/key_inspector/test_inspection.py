"""The verdict of an inspection, against the exchange's own accounts."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from functions.key_inspector import app, service
from shared import rounds
from shared.clock import to_iso, utc_now
from shared.messages import Command
from shared.models.account_claim import AccountClaim
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.models.key_readiness import KeyReadiness
from shared.models.position_slot import PositionSlot
from shared.models.unique_name import NameKind, UniqueName
from shared.pacing import IntervalPacer
from shared.trading.execution import DenialReason, ExecutionState
from shared.trading.risk import BASE_TAKER_RATE
from tests.integration.executor.world import Person, World
from tests.lambda_context import FakeContext

EVENTS = Path(__file__).resolve().parents[3] / "events" / "key_inspector"
SAMPLE_KEY = "46a19fb1-4e90-4736-b820-257c947fd694"

ACCOUNT = "/fapi/v3/account"
CONFIG = "/fapi/v1/accountConfig"
PERMISSIONS = "/sapi/v1/account/apiRestrictions"
BALANCE = "/fapi/v3/balance"
COMMISSION_RATE = "/fapi/v1/commissionRate"

SETUPS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "as it should be": ({}, []),
    "can withdraw": ({"canWithdraw": True}, ["WITHDRAWALS_ENABLED"]),
    "portfolio margin": ({"enablePortfolioMarginTrading": True}, ["PORTFOLIO_MARGIN"]),
    "may not trade": ({"canTrade": False}, ["FUTURES_DISABLED"]),
    "no futures": ({"enableFutures": False}, ["FUTURES_DISABLED"]),
    "hedge mode": ({"dualSidePosition": True}, ["HEDGE_MODE"]),
    "multi-assets margin": ({"multiAssetsMargin": True}, ["MULTI_ASSETS_MARGIN"]),
    "empty": ({"balances": {"USDT": "0"}}, ["NO_EQUITY"]),
    "everything wrong": (
        {"canWithdraw": True, "dualSidePosition": True, "multiAssetsMargin": True},
        ["WITHDRAWALS_ENABLED", "HEDGE_MODE", "MULTI_ASSETS_MARGIN"],
    ),
}


def record_of(key: ExchangeKey, *, asked_at: datetime | None = None, delivery: int = 1) -> dict[str, Any]:
    body = {"api_key_id": key.id, "asked_at": to_iso(asked_at or utc_now())}
    attributes = {"ApproximateReceiveCount": str(delivery), "SentTimestamp": "0"}
    return {"messageId": key.id, "body": json.dumps(body), "attributes": attributes}


def inspect(*people: Person, **how: Any) -> list[str]:
    """Give the inspector one message for each key, as one batch; return the keys whose message failed."""
    answer = app.lambda_handler({"Records": [record_of(person.key, **how) for person in people]}, FakeContext())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def verdict_on(person: Person) -> KeyReadiness:
    found = KeyReadiness.find(person.key.id)
    assert found is not None
    return found


def requests_of(world: World, person: Person) -> int:
    """Return how many requests with its key reached the exchange."""
    return sum(world.account(person).requests.values())


@pytest.mark.parametrize("case", SETUPS)
def test_verdict_names_every_reason(world: World, case: str) -> None:
    account, reasons = SETUPS[case]
    person = world.follower(**account)
    began_at = utc_now()

    assert inspect(person) == []

    verdict = verdict_on(person)
    assert verdict.reasons == reasons
    assert verdict.is_valid_for(person.key, now=utc_now())
    assert verdict.checked_at is not None
    assert verdict.checked_at >= began_at


def test_details_hold_the_values_that_were_read(world: World) -> None:
    person = world.follower(balance="1234.5")

    inspect(person)

    details = verdict_on(person).details
    assert float(details["wallet_balance"]) == 1234.5
    assert details["withdrawals_enabled"] is False
    assert abs(details["clock_offset_ms"]) < 1000


def test_key_for_any_address_is_ready_with_a_warning(world: World) -> None:
    person = world.follower(ipRestrict=False)

    inspect(person)

    assert (verdict_on(person).reasons, verdict_on(person).warnings) == ([], ["IP_UNRESTRICTED"])


def test_clock_offset_is_recorded_and_does_not_change_the_verdict(world: World) -> None:
    world.exchange.set(clock_offset_ms=2500)
    person = world.follower()

    assert inspect(person) == []

    verdict = verdict_on(person)
    assert (verdict.reasons, verdict.warnings) == ([], ["CLOCK_OFF"])
    assert abs(verdict.details["clock_offset_ms"] - 2500) < 1000


def taker_rate_of(person: Person) -> Decimal:
    return ExchangeKey.get(person.key.id).taker_rate("BTC/USDT", now=utc_now())


def test_accounts_own_taker_rate_is_kept_for_its_entries(world: World) -> None:
    person = world.follower(takerFee="0.00027")

    assert inspect(person) == []

    assert taker_rate_of(person) == Decimal("0.00027")
    assert world.account(person).requests[f"GET {COMMISSION_RATE}"] == 1


# -- whose account it is -----------------------------------------------------------------------------------------------


def named_by_exchange(world: World, person: Person) -> str:
    alias = world.exchange.control("GET", f"/paper/accounts/{person.key.api_key}")["accountAlias"]
    assert alias
    return str(alias)


def alias_of(person: Person) -> str | None:
    return ExchangeKey.get(person.key.id, consistent_read=True).account_alias


def without_alias(person: Person) -> Person:
    """Leave the key as it was before the names of accounts were recorded."""
    person.key.update(actions=[ExchangeKey.account.remove()])
    return person


def test_two_keys_of_one_account_are_recorded_with_its_name(world: World) -> None:
    first, other = world.follower(), without_alias(world.follower())
    second = without_alias(world.another_key_of(first))

    assert inspect(without_alias(first), second, other) == []

    alias = named_by_exchange(world, first)
    assert alias_of(first) == alias_of(second) == alias
    assert alias_of(other) == named_by_exchange(world, other) != alias
    # The one that was faster has the account, so that no further key of it is connected.
    claim = UniqueName.get(UniqueName.exact_claim_key(NameKind.ACCOUNT, alias))
    assert claim.owner_id in {first.key.id, second.key.id}


def test_name_is_read_once_for_each_api_key(world: World) -> None:
    person = without_alias(world.follower())
    inspect(person)

    inspect(person, asked_at=utc_now() + timedelta(milliseconds=1))
    assert world.account(person).requests[f"GET {BALANCE}"] == 1

    ExchangeKey(person.key.id).update(
        actions=[ExchangeKey.account.set({"apiKey": "the one before", "alias": "another account"})]
    )
    inspect(person, asked_at=utc_now() + timedelta(milliseconds=1))
    assert alias_of(person) == named_by_exchange(world, person)


@pytest.mark.parametrize("fault", [{"kind": "http", "status": 503, "msg": "Service Unavailable"}, {"kind": "truncate"}])
def test_inspection_is_repeated_while_the_name_cannot_be_read(world: World, fault: dict[str, Any]) -> None:
    person = without_alias(world.follower())
    asked_at = utc_now()
    world.plan_fault(person, path=BALANCE, method="GET", **fault)

    assert inspect(person, asked_at=asked_at) == [person.key.id]
    assert alias_of(person) is None
    assert inspect(person, asked_at=asked_at, delivery=2) == []
    assert alias_of(person) == named_by_exchange(world, person)


def test_key_without_futures_has_no_name_and_a_verdict(world: World) -> None:
    person = without_alias(world.follower(enableFutures=False))

    assert inspect(person) == []

    assert (alias_of(person), verdict_on(person).reasons) == (None, ["FUTURES_DISABLED"])


def test_second_key_is_denied_by_a_position_that_is_older_than_the_claims(world: World) -> None:
    holder = world.follower()
    held = world.open_position(holder)
    second = world.another_key_of(holder)
    for claim in AccountClaim.scan():
        claim.delete()

    assert inspect(without_alias(holder), without_alias(second)) == []
    denied = world.open_position(second)

    assert (denied.state, denied.reason) == (ExecutionState.DENIED, DenialReason.ACCOUNT_IN_USE)
    claim = AccountClaim.get(named_by_exchange(world, holder), "BTC/USDT")
    assert (claim.api_key_id, claim.execution_id) == (holder.key.id, held.id)
    world.handle(world.stored(held), command=Command.CLOSE)
    assert world.stored(held).state is ExecutionState.CLOSED
    assert world.open_position(second).state is ExecutionState.PROTECTED


def test_name_is_recorded_though_two_executions_have_the_account_already(world: World) -> None:
    holder = world.follower()
    held = world.open_position(holder)
    second = world.another_key_of(holder)
    other = world.queue_execution(second, world.trigger())
    PositionSlot(second.key.id, "BTC/USDT", execution_id=other.id, follower_id=second.record.id).save()
    for claim in AccountClaim.scan():
        claim.delete()

    assert inspect(without_alias(holder), without_alias(second)) == []

    assert alias_of(second) == alias_of(holder)
    [claim] = AccountClaim.scan()
    assert claim.execution_id in {held.id, other.id}


@pytest.mark.parametrize("rate", ["-0.0001", "0", "0.2"])
def test_rate_that_makes_no_sense_is_not_kept(world: World, rate: str) -> None:
    person = world.follower(takerFee=rate)

    assert inspect(person) == []

    assert taker_rate_of(person) == BASE_TAKER_RATE
    assert verdict_on(person).reasons == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "http", "status": 503, "msg": "Service Unavailable"},
        {"kind": "code", "status": 400, "code": -1121, "msg": "Invalid symbol."},
        {"kind": "truncate"},
    ],
)
def test_rate_that_cannot_be_read_fails_no_inspection_and_leaves_the_last_one(
    world: World, fault: dict[str, Any]
) -> None:
    person = world.follower(takerFee="0.00027")
    inspect(person)
    world.exchange.control("PUT", f"/paper/accounts/{person.key.api_key}", {"takerFee": "0.0001"})
    world.plan_fault(person, path=COMMISSION_RATE, method="GET", **fault)

    assert inspect(person, asked_at=utc_now() + timedelta(milliseconds=1)) == []

    assert taker_rate_of(person) == Decimal("0.00027")
    assert verdict_on(person).failure is None


def test_key_without_futures_is_asked_for_no_rate(world: World) -> None:
    person = world.follower(enableFutures=False)

    inspect(person)

    assert f"GET {COMMISSION_RATE}" not in world.account(person).requests


def test_wallet_is_the_one_of_the_followed_quote_asset(world: World) -> None:
    person = world.follower()
    person.record.symbol = "BTC/USDC"
    person.record.save()

    inspect(person)

    assert verdict_on(person).reasons == ["NO_EQUITY"], "there are dollars, and none of those that it trades with"


def test_key_that_the_exchange_refuses_is_unauthorized(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "code", ACCOUNT, "GET", status=401, code=-2015, msg="Invalid API-key")

    assert inspect(person) == []

    assert verdict_on(person).reasons == ["KEY_UNAUTHORIZED"]


def test_bad_key_does_not_stop_the_others(world: World) -> None:
    unreachable, refused, good, hedged = (
        world.follower(),
        world.follower(),
        world.follower(),
        world.follower(dualSidePosition=True),
    )
    world.plan_fault(unreachable, "http", CONFIG, "GET", status=500, msg="Internal error")
    world.plan_fault(refused, "code", PERMISSIONS, "GET", status=401, code=-2015, msg="Invalid API-key")

    assert inspect(unreachable, refused, good, hedged) == [unreachable.key.id]

    assert KeyReadiness.find(unreachable.key.id) is None
    reasons = [verdict_on(person).reasons for person in (refused, good, hedged)]
    assert reasons == [["KEY_UNAUTHORIZED"], [], ["HEDGE_MODE"]]


def test_unreachable_exchange_is_retried_and_the_retry_decides(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "http", ACCOUNT, "GET", status=503, msg="Service Unavailable")

    assert inspect(person) == [person.key.id]
    assert inspect(person, delivery=2) == []

    assert verdict_on(person).reasons == []


def test_exchange_that_stays_unreachable_keeps_the_old_verdict_and_is_recorded(world: World) -> None:
    person = world.follower()
    inspect(person)
    before = verdict_on(person)
    world.plan_fault(person, "http", ACCOUNT, "GET", status=503, msg="Service Unavailable")

    assert inspect(person, delivery=service.MAX_TRIES) == [], "the next day comes anyway"

    after = verdict_on(person)
    assert (after.reasons, after.checked_at) == (before.reasons, before.checked_at)
    assert after.failure is not None
    assert after.failed_at is not None
    assert before.failed_at is None


def test_key_whose_secret_cannot_be_opened_is_recorded_as_not_inspected(world: World) -> None:
    person = world.follower()
    person.key.update(actions=[ExchangeKey.secret_ciphertext.set(b"damaged")])

    assert inspect(person) == [person.key.id]
    assert inspect(person, delivery=service.MAX_TRIES) == []

    assert verdict_on(person).failure == "SecretUnreadable"


def test_repeated_message_queries_the_exchange_once(world: World) -> None:
    person = world.follower()
    asked_at = utc_now()
    inspect(person, asked_at=asked_at)
    before, requests = verdict_on(person).serialize(), requests_of(world, person)
    assert requests > 0

    assert inspect(person, asked_at=asked_at) == []

    assert (verdict_on(person).serialize(), requests_of(world, person)) == (before, requests)


def test_next_days_message_inspects_again(world: World) -> None:
    person = world.follower()
    inspect(person)
    world.exchange.control("PUT", f"/paper/accounts/{person.key.api_key}", {"canWithdraw": True})

    inspect(person, asked_at=utc_now() + timedelta(milliseconds=1))

    assert verdict_on(person).reasons == ["WITHDRAWALS_ENABLED"]


@pytest.mark.parametrize(
    "change", [{"active": False}, {"trade_type": TradeType.SPOT}, {"strategy_type": StrategyType.MANUAL}]
)
def test_key_that_no_longer_trades_automatically_is_skipped(world: World, change: dict[str, Any]) -> None:
    person = world.follower()
    for name, value in change.items():
        setattr(person.key, name, value)
    person.key.save()

    assert inspect(person) == []

    assert KeyReadiness.find(person.key.id) is None
    assert requests_of(world, person) == 0


def test_missing_key_is_skipped(world: World) -> None:
    person = world.follower()
    person.key.delete()

    assert inspect(person) == []


def test_messages_at_once_are_inspected_one_after_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pacer = IntervalPacer(0.3)
    monkeypatch.setattr(service, "pacer", lambda: pacer)
    people = [world.follower() for _ in range(4)]
    began_at = utc_now()

    assert inspect(*people) == []

    inspected_at = sorted(verdict_on(person).checked_at or began_at for person in people)
    waited_s = [(moment - began_at).total_seconds() for moment in inspected_at]
    assert all(waited >= number * 0.29 for number, waited in enumerate(waited_s)), waited_s


def test_sample_events(world: World) -> None:
    person = world.follower()
    text = (EVENTS / "key.json").read_text(encoding="utf-8")

    answer = app.lambda_handler(json.loads(text.replace(SAMPLE_KEY, person.key.id)), FakeContext())

    assert answer == {"batchItemFailures": []}
    assert verdict_on(person).reasons == []


def test_malformed_messages_fail_one_by_one(world: World) -> None:
    event = json.loads((EVENTS / "malformed.json").read_text(encoding="utf-8"))

    failures = app.lambda_handler(event, FakeContext())["batchItemFailures"]

    assert sorted(one["itemIdentifier"] for one in failures) == sorted(one["messageId"] for one in event["Records"])


def test_queued_message_is_readable_by_the_inspector(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "SPREAD_S", 0)
    person = world.follower()
    shard = int((person.key.listed_shard or "").split("#")[1])
    at = utc_now().replace(hour=shard // 4, minute=shard % 4 * 15 + 5)

    app.lambda_handler({"source": "aws.events", "time": to_iso(at)}, FakeContext())

    message = next(one for one in world.take_messages("keys") if one["api_key_id"] == person.key.id)
    body = json.dumps({"api_key_id": message["api_key_id"], "asked_at": message["asked_at"]})
    event = {"Records": [{"messageId": "1", "body": body}]}
    assert app.lambda_handler(event, FakeContext()) == {"batchItemFailures": []}
    assert verdict_on(person).reasons == []
