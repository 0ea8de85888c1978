from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from functions.admin_exchange.app import lambda_handler
from shared.clock import to_iso, utc_now
from shared.models.exchange_key import ExchangeKey
from shared.models.key_readiness import KeyReadiness
from shared.trading.execution import DenialReason
from shared.trading.readiness import KeyWarning, Verdict
from shared.views import key_inspections
from shared.views.key_inspections import InspectionItem
from tests.unit.admin_requests import sample, send
from tests.unit.records import KEY_ID, an_exchange_key, id_of

READINESS, INSPECT = "admin_exchange/show_readiness", "admin_exchange/inspect_key"

pytestmark = pytest.mark.usefixtures("admin_api")


def shown() -> dict[str, Any]:
    answer = send(lambda_handler, sample(READINESS))
    assert answer.status == 200, answer.text
    body: dict[str, Any] = answer.body
    return body


def judge(key: ExchangeKey, *reasons: DenialReason, warnings: tuple[KeyWarning, ...] = (), hours: float = 1) -> str:
    at = utc_now() - timedelta(hours=hours)
    KeyReadiness.record(key, Verdict(reasons=reasons, warnings=warnings), details={}, checked_at=at)
    return to_iso(at)


def test_a_key_that_nobody_has_inspected_has_no_verdict() -> None:
    key = an_exchange_key()
    empty: dict[str, Any] = {"reasons": [], "warnings": [], "checkedAt": None, "failedAt": None, "failure": None}
    assert shown() == {"id": key.id, "ready": None, "current": False, **empty}
    KeyReadiness.record_failure(key, "ExchangeUnavailable", failed_at=utc_now())
    assert (shown()["ready"], shown()["failure"]) == (None, "ExchangeUnavailable")


def test_the_verdict_is_told_in_words() -> None:
    at = judge(an_exchange_key(), DenialReason.HEDGE_MODE, warnings=(KeyWarning.IP_UNRESTRICTED,))
    found = shown()
    assert (found["ready"], found["current"], found["checkedAt"]) == (False, True, at)
    assert [(one["code"], bool(one["msg"])) for one in found["reasons"]] == [("HEDGE_MODE", True)]
    assert found["warnings"][0]["code"] == "IP_UNRESTRICTED"
    assert "restrict it to our addresses" in found["warnings"][0]["msg"]


@pytest.mark.parametrize("reason", DenialReason)
def test_every_reason_has_words(reason: DenialReason) -> None:
    judge(an_exchange_key(), reason)
    (found,) = shown()["reasons"]
    assert found["msg"].endswith((".", "!")), found


def test_a_verdict_of_days_ago_is_not_current() -> None:
    judge(an_exchange_key(), hours=27)
    assert (shown()["ready"], shown()["current"]) == (True, False)


def test_a_verdict_on_a_replaced_api_key_is_none() -> None:
    key = an_exchange_key()
    judge(key)
    key.update(actions=[ExchangeKey.api_key.set("another")])
    assert (shown()["ready"], shown()["checkedAt"]) == (None, None)


def test_an_admin_has_any_users_key_inspected_now(monkeypatch: pytest.MonkeyPatch) -> None:
    key = an_exchange_key(user_id=id_of("somebody"))

    def inspect(asked: ExchangeKey) -> InspectionItem:
        return {"id": asked.id, "ready": True, "reasons": [], "warnings": [], "checkedAt": to_iso(utc_now())}

    monkeypatch.setattr(key_inspections, "inspect_key", inspect)
    answer = send(lambda_handler, sample(INSPECT))
    assert (answer.status, answer.body["id"], answer.body["ready"]) == (200, key.id, True)


@pytest.mark.parametrize("event", [READINESS, INSPECT])
def test_a_key_that_is_none_is_not_found(event: str) -> None:
    an_exchange_key()
    assert send(lambda_handler, sample(event, path=(KEY_ID, id_of("none")))).status == 404
