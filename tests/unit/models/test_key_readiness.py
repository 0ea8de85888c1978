from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.models.exchange_key import ExchangeKey
from shared.models.key_readiness import KeyReadiness
from shared.trading.execution import DenialReason
from shared.trading.readiness import VALID_FOR, KeyWarning, Verdict
from tests.unit.records import KEY_ID, STARTED_AT, after, an_exchange_key

pytestmark = pytest.mark.usefixtures("tables")

READY = Verdict(())
REFUSED = Verdict((DenialReason.WITHDRAWALS_ENABLED, DenialReason.HEDGE_MODE), (KeyWarning.IP_UNRESTRICTED,))


def record(key: ExchangeKey, verdict: Verdict, *, minute: int = 0) -> None:
    KeyReadiness.record(key, verdict, details={"minute": minute}, checked_at=after(minute))


def counted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the metrics written since the last call."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


def outcomes(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str | None]]:
    names = ("key_ready", "key_refused", "key_warned", "key_not_inspected")
    return [
        (name, line.get("reason") or line.get("warning")) for line in counted(capsys) for name in names if name in line
    ]


def test_refusal_keeps_every_reason_and_counts_once_under_the_gravest(capsys: pytest.CaptureFixture[str]) -> None:
    record(an_exchange_key(), REFUSED)

    kept = KeyReadiness.get(KEY_ID)
    assert kept.reasons == ["WITHDRAWALS_ENABLED", "HEDGE_MODE"]
    assert kept.warnings == ["IP_UNRESTRICTED"]
    assert (kept.checked_at, kept.details) == (STARTED_AT, {"minute": 0})
    assert outcomes(capsys) == [("key_refused", "WITHDRAWALS_ENABLED"), ("key_warned", "IP_UNRESTRICTED")]


def test_ready_key_has_no_reason(capsys: pytest.CaptureFixture[str]) -> None:
    record(an_exchange_key(), READY)

    assert KeyReadiness.get(KEY_ID).reasons == []
    assert outcomes(capsys) == [("key_ready", None)]


def test_late_verdict_of_an_earlier_inspection_changes_and_counts_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    key = an_exchange_key()
    record(key, REFUSED, minute=2)
    outcomes(capsys)

    record(key, READY, minute=1)
    record(key, REFUSED, minute=2)

    assert KeyReadiness.get(KEY_ID).reasons == ["WITHDRAWALS_ENABLED", "HEDGE_MODE"]
    assert outcomes(capsys) == []


def test_verdict_on_a_replaced_api_key_is_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    key = an_exchange_key()
    record(key, REFUSED, minute=2)
    key.api_key = "another"

    assert not KeyReadiness.get(KEY_ID).is_valid_for(key, now=after(3))
    assert not KeyReadiness.get(KEY_ID).checked_since(key, after(1))
    record(key, READY, minute=1)
    assert KeyReadiness.get(KEY_ID).is_valid_for(key, now=after(3))


@pytest.mark.rings("KeysNotInspectedAlarm")
def test_failure_leaves_the_verdict_and_the_next_verdict_clears_it(capsys: pytest.CaptureFixture[str]) -> None:
    key = an_exchange_key()
    record(key, REFUSED)
    outcomes(capsys)

    KeyReadiness.record_failure(key, "OutcomeUnknown", failed_at=after(5))

    kept = KeyReadiness.get(KEY_ID)
    assert (kept.reasons, kept.checked_at) == (["WITHDRAWALS_ENABLED", "HEDGE_MODE"], STARTED_AT)
    assert (kept.failure, kept.failed_at) == ("OutcomeUnknown", after(5))
    assert outcomes(capsys) == [("key_not_inspected", None)]

    record(key, READY, minute=6)

    cleared = KeyReadiness.get(KEY_ID)
    assert cleared.reasons == []
    assert cleared.failure is None
    assert cleared.failed_at is None


def test_failure_before_any_verdict_is_no_verdict() -> None:
    key = an_exchange_key()
    KeyReadiness.record_failure(key, "OutcomeUnknown", failed_at=STARTED_AT)

    assert not KeyReadiness.get(KEY_ID).is_valid_for(key, now=STARTED_AT)


def test_old_verdict_is_invalid() -> None:
    key = an_exchange_key()
    record(key, READY)

    assert KeyReadiness.get(KEY_ID).is_valid_for(key, now=STARTED_AT + VALID_FOR)
    assert not KeyReadiness.get(KEY_ID).is_valid_for(key, now=STARTED_AT + VALID_FOR + timedelta(seconds=1))
