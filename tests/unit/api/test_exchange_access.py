from __future__ import annotations

import pytest

from shared.api.exchange_access import read_with_key
from shared.errors import (
    AccessDenied,
    ExchangeAuthorizationFailed,
    ExchangeError,
    ExchangeThrottled,
    ExchangeUnavailable,
    NotFound,
    OutcomeUnknown,
    ServiceUnavailable,
)
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey
from tests.unit.records import KEY_ID, STARTED_AT, an_exchange_key

pytestmark = pytest.mark.usefixtures("tables")


def state_of_the_key() -> tuple[ApiKeyStatus, bool, bool]:
    key = ExchangeKey.get(KEY_ID)
    return key.api_key_status, key.active, key.deactivated_by_refusal


def read_account(key: ExchangeKey, error: Exception | None = None) -> str:
    def read() -> str:
        if error is not None:
            raise error
        return "found"

    return read_with_key(key, read)


def test_success_changes_nothing_on_an_authorized_key() -> None:
    assert read_account(an_exchange_key()) == "found"
    assert state_of_the_key() == (ApiKeyStatus.AUTHORIZED, True, False)
    assert ExchangeKey.get(KEY_ID).updated_at == STARTED_AT


def test_refusal_takes_the_key_out_of_use() -> None:
    with pytest.raises(AccessDenied, match="exchange API authorization failed") as raised:
        read_account(an_exchange_key(), ExchangeAuthorizationFailed(code=-2015))
    assert raised.value.authenticated
    assert state_of_the_key() == (ApiKeyStatus.UNAUTHORIZED, False, True)
    assert ExchangeKey.get(KEY_ID).updated_at > STARTED_AT


def test_success_after_a_refusal_brings_it_back() -> None:
    with pytest.raises(AccessDenied):
        read_account(an_exchange_key(), ExchangeAuthorizationFailed())
    read_account(ExchangeKey.get(KEY_ID))
    assert state_of_the_key() == (ApiKeyStatus.AUTHORIZED, True, False)


def test_second_refusal_keeps_that_the_first_one_deactivated_the_key() -> None:
    an_exchange_key()
    for _ in range(2):
        with pytest.raises(AccessDenied):
            read_account(ExchangeKey.get(KEY_ID), ExchangeAuthorizationFailed())
    assert state_of_the_key() == (ApiKeyStatus.UNAUTHORIZED, False, True)


def test_key_that_its_owner_switched_off_stays_off() -> None:
    key = an_exchange_key(active=False)
    with pytest.raises(AccessDenied):
        read_account(key, ExchangeAuthorizationFailed())
    assert state_of_the_key() == (ApiKeyStatus.UNAUTHORIZED, False, False)
    read_account(ExchangeKey.get(KEY_ID))
    assert state_of_the_key() == (ApiKeyStatus.AUTHORIZED, False, False)


@pytest.mark.parametrize(
    "error", [ExchangeUnavailable(), ExchangeThrottled(), OutcomeUnknown(), ExchangeError()], ids=repr
)
def test_any_other_failure_leaves_the_key_in_use(error: ExchangeError) -> None:
    with pytest.raises(ServiceUnavailable, match="exchange cannot be reached"):
        read_account(an_exchange_key(), error)
    assert state_of_the_key() == (ApiKeyStatus.FAILED, True, False)
    read_account(ExchangeKey.get(KEY_ID))
    assert state_of_the_key() == (ApiKeyStatus.AUTHORIZED, True, False)


def test_failure_after_a_refusal_keeps_that_it_deactivated_the_key() -> None:
    with pytest.raises(AccessDenied):
        read_account(an_exchange_key(), ExchangeAuthorizationFailed())
    with pytest.raises(ServiceUnavailable):
        read_account(ExchangeKey.get(KEY_ID), ExchangeUnavailable())
    assert state_of_the_key() == (ApiKeyStatus.FAILED, False, True)
    read_account(ExchangeKey.get(KEY_ID))
    assert state_of_the_key() == (ApiKeyStatus.AUTHORIZED, True, False)


def test_unknown_symbol_does_not_change_the_key() -> None:
    with pytest.raises(NotFound):
        read_account(an_exchange_key(), NotFound("XYZ/USDT does not trade"))
    assert state_of_the_key() == (ApiKeyStatus.AUTHORIZED, True, False)


def test_refusal_of_a_replaced_key_does_not_change_the_new_one() -> None:
    seen = an_exchange_key()
    an_exchange_key(api_key="the new one")
    with pytest.raises(AccessDenied):
        read_account(seen, ExchangeAuthorizationFailed())
    assert state_of_the_key() == (ApiKeyStatus.AUTHORIZED, True, False)


def test_key_that_was_deleted_meanwhile_is_not_brought_back() -> None:
    seen = an_exchange_key()
    seen.delete()
    with pytest.raises(ServiceUnavailable):
        read_account(seen, ExchangeUnavailable())
    assert ExchangeKey.find(KEY_ID) is None


def test_refused_key_is_not_listed_until_it_succeeds() -> None:
    key = an_exchange_key()

    with pytest.raises(AccessDenied):
        read_account(key, ExchangeAuthorizationFailed("refused"))
    assert list(ExchangeKey.list_active()) == []

    read_account(ExchangeKey.get(KEY_ID))
    assert [found.id for found in ExchangeKey.list_active()] == [KEY_ID]
