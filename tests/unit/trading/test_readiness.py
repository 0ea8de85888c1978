from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import from_iso
from shared.trading.execution import DenialReason
from shared.trading.readiness import (
    DENIES_FOR,
    MAX_CLOCK_OFFSET_MS,
    VALID_FOR,
    AccountSetup,
    KeyWarning,
    denial_of,
    is_current,
    judge_account,
)
from tests.unit.trading.markets import READY

ANY_SETUP = st.builds(AccountSetup, **{name: st.booleans() for name in AccountSetup.__slots__})
ANY_WALLET = st.none() | st.decimals(-10, 10, places=2)
ANY_OFFSET = st.none() | st.integers(-5000, 5000)


def test_account_without_a_fault_is_ready() -> None:
    verdict = judge_account(READY, wallet_balance=Decimal("0.01"), clock_offset_ms=0)

    assert (verdict.ready, verdict.reasons, verdict.warnings) == (True, (), ())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("withdrawals_enabled", DenialReason.WITHDRAWALS_ENABLED),
        ("portfolio_margin", DenialReason.PORTFOLIO_MARGIN),
        ("can_trade", DenialReason.FUTURES_DISABLED),
        ("futures_enabled", DenialReason.FUTURES_DISABLED),
        ("hedge_mode", DenialReason.HEDGE_MODE),
        ("multi_assets_margin", DenialReason.MULTI_ASSETS_MARGIN),
    ],
)
def test_each_fault_of_the_setup_refuses_by_itself(name: str, reason: DenialReason) -> None:
    faulty = replace(READY, **{name: not getattr(READY, name)})

    assert judge_account(faulty, wallet_balance=Decimal(1)).reasons == (reason,)


@pytest.mark.parametrize(("wallet", "ready"), [("0", False), ("-0.01", False), ("0.01", True)])
def test_empty_wallet_refuses(wallet: str, ready: bool) -> None:
    verdict = judge_account(READY, wallet_balance=Decimal(wallet))

    assert verdict.reasons == (() if ready else (DenialReason.NO_EQUITY,))


def test_wallet_that_was_not_read_is_not_judged() -> None:
    assert judge_account(READY, wallet_balance=None).ready


@given(setup=ANY_SETUP, wallet=ANY_WALLET, offset=ANY_OFFSET)
def test_key_that_can_withdraw_is_refused_for_that_first(
    setup: AccountSetup, wallet: Decimal | None, offset: int | None
) -> None:
    verdict = judge_account(setup, wallet_balance=wallet, clock_offset_ms=offset)

    assert (DenialReason.WITHDRAWALS_ENABLED in verdict.reasons) is setup.withdrawals_enabled
    if setup.withdrawals_enabled:
        assert verdict.reasons[0] is DenialReason.WITHDRAWALS_ENABLED


@given(setup=ANY_SETUP, wallet=ANY_WALLET, offset=ANY_OFFSET)
def test_warnings_never_refuse(setup: AccountSetup, wallet: Decimal | None, offset: int | None) -> None:
    with_warnings = judge_account(setup, wallet_balance=wallet, clock_offset_ms=offset)
    without = judge_account(replace(setup, ip_restricted=True), wallet_balance=wallet, clock_offset_ms=0)

    assert with_warnings.reasons == without.reasons
    assert without.warnings == ()


@given(setup=ANY_SETUP, wallet=ANY_WALLET)
def test_fixing_one_fault_never_adds_a_reason(setup: AccountSetup, wallet: Decimal | None) -> None:
    before = judge_account(setup, wallet_balance=wallet).reasons
    for name in AccountSetup.__slots__:
        after = judge_account(replace(setup, **{name: getattr(READY, name)}), wallet_balance=wallet).reasons
        assert set(after) <= set(before)


def test_key_for_any_address_is_warned_about() -> None:
    verdict = judge_account(replace(READY, ip_restricted=False), wallet_balance=Decimal(1))

    assert (verdict.ready, verdict.warnings) == (True, (KeyWarning.IP_UNRESTRICTED,))


@pytest.mark.parametrize(
    ("offset_ms", "noted"),
    [(MAX_CLOCK_OFFSET_MS, False), (MAX_CLOCK_OFFSET_MS + 1, True), (-1001, True), (-1000, False)],
)
def test_clock_that_is_more_than_a_second_off_is_warned_about(offset_ms: int, noted: bool) -> None:
    verdict = judge_account(READY, wallet_balance=Decimal(1), clock_offset_ms=offset_ms)

    assert verdict.warnings == ((KeyWarning.CLOCK_OFF,) if noted else ())


def test_verdict_is_valid_until_the_next_days_inspection() -> None:
    at = from_iso("2026-01-01T00:05:00Z")

    assert is_current(at, now=at + timedelta(days=1, minutes=30))
    assert is_current(at, now=at + VALID_FOR)
    assert not is_current(at, now=at + VALID_FOR + timedelta(milliseconds=1))
    assert not is_current(None, now=at)


NOW = from_iso("2026-01-01T12:00:00Z")


def denial(*reasons: DenialReason, age: timedelta = timedelta(minutes=5)) -> DenialReason | None:
    """Return why a verdict from reading the wallet of USDT denies an entry that is paid in USDT."""
    return denial_of(reasons, NOW - age, margin_assets=["USDT"], quote="USDT", now=NOW)


def test_verdict_denies_by_itself_for_an_hour() -> None:
    assert denial(DenialReason.HEDGE_MODE, age=DENIES_FOR) is DenialReason.HEDGE_MODE
    assert denial(DenialReason.HEDGE_MODE, age=DENIES_FOR + timedelta(seconds=1)) is None
    assert denial_of([DenialReason.HEDGE_MODE], None, margin_assets=[], quote="USDT", now=NOW) is None


def test_verdict_denies_with_its_gravest_reason_and_a_ready_one_never() -> None:
    assert denial(DenialReason.WITHDRAWALS_ENABLED, DenialReason.HEDGE_MODE) is DenialReason.WITHDRAWALS_ENABLED
    assert denial() is None


def test_refused_key_is_tried_because_our_address_may_have_been_at_fault() -> None:
    assert denial(DenialReason.KEY_UNAUTHORIZED) is None


@pytest.mark.parametrize(
    ("read", "reason"),
    [(["USDT"], DenialReason.NO_EQUITY), (["USDC", "USDT"], DenialReason.NO_EQUITY), (["USDC"], None)],
)
def test_empty_wallet_denies_what_is_paid_from_it(read: list[str], reason: DenialReason | None) -> None:
    assert denial_of([DenialReason.NO_EQUITY], NOW, margin_assets=read, quote="USDT", now=NOW) is reason
