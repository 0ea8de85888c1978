from __future__ import annotations

import io
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from functions.admin_user.app import lambda_handler
from functions.user_recorder import app as user_recorder
from local.embedded_tables import InProcessTables
from shared import user_pool
from shared.clock import from_iso, to_iso
from shared.models.unique_name import NameKind, UniqueName
from shared.models.user import User
from tests.unit.admin_requests import Answer, pages, sample, send
from tests.unit.functions.admin_user.pool import EMAIL, GOOGLE_NAME, Pool
from tests.unit.in_process_aws import Queues, aws_client
from tests.unit.records import PLAN_ID, USER_ID, a_plan, a_user, after, id_of

LIST = "admin_user/list_users"
OVERVIEW = "admin_user/get_overview"
DOCUMENTED_ID = "152a925f-bb73-4adf-bb45-e073b9e5820a"
NOT_FOUND = (404, {"message": "route not found"})


def overview(user_id: str) -> Answer:
    return send(lambda_handler, sample(OVERVIEW, path=(DOCUMENTED_ID, user_id)))


def stored(user_id: str) -> User:
    user = User.find(user_id)
    assert user is not None
    return user


def the_default_plan() -> None:
    a_plan(name="DEFAULT", default=True)
    UniqueName(UniqueName.claim_key(NameKind.DEFAULT_PLAN), owner_id=PLAN_ID).save()


# ------------------------------------------------------------------------------------------------------------ list


@pytest.mark.usefixtures("admin_api")
def test_users_are_listed_as_documented() -> None:
    a_user(
        at=from_iso("2022-10-01T15:32:39.511Z"),
        email="johndoe@gmail.com",
        email_verified=True,
        last_name="Doe",
    )
    User(USER_ID).update(actions=[User.updated_at.set(from_iso("2022-10-01T15:32:52.248Z"))])
    assert send(lambda_handler, sample(LIST)).body == {
        "items": [
            {
                "uid": "a12565e5-567b-432a-93b2-6349653010d9",
                "status": "CONFIRMED",
                "active": True,
                "emailVerified": True,
                "email": "johndoe@gmail.com",
                "firstName": "John",
                "lastName": "Doe",
                "createdAt": "2022-10-01T15:32:39.511Z",
                "updatedAt": "2022-10-01T15:32:52.248Z",
            }
        ]
    }


@pytest.mark.usefixtures("admin_api")
def test_pages_hold_each_user_once_newest_first() -> None:
    for number in range(7):
        a_user(id_of(f"user {number}"), at=after(number))
    found = pages(lambda_handler, sample(LIST), limit=3)
    assert [len(page) for page in found] == [3, 3, 1]
    assert [item["uid"] for page in found for item in page] == [id_of(f"user {number}") for number in range(6, -1, -1)]


@pytest.mark.usefixtures("admin_api")
def test_names_never_given_are_empty_text() -> None:
    a_user(first_name="", last_name="")
    (item,) = send(lambda_handler, sample(LIST)).body["items"]
    assert (item["firstName"], item["lastName"], item["email"]) == ("", "", "")


@pytest.mark.usefixtures("admin_api")
def test_a_page_costs_the_same_requests_and_items_however_many_users_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests: list[tuple[str, float]] = []
    call_table = InProcessTables._make_api_call

    def record_request(tables: InProcessTables, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = call_table(tables, operation, request)
        answers = answer.get("Responses") or {}
        requests.append((operation, answer.get("Count", 0) + sum(len(items) for items in answers.values())))
        return answer

    def cost() -> list[tuple[str, float]]:
        requests.clear()
        assert len(send(lambda_handler, sample(LIST, query={"limit": "20"})).body["items"]) == 20
        return list(requests)

    def add(numbers: range) -> None:
        with User.batch_write() as batch:
            for number in numbers:
                user_id, at = id_of(f"user {number}"), after(number)
                batch.save(User(user_id, created_key=f"{to_iso(at)}#{user_id}", created_at=at, updated_at=at))

    monkeypatch.setattr(InProcessTables, "_make_api_call", record_request)
    add(range(21))
    of_few = cost()
    add(range(21, 500))
    assert cost() == of_few == [("Query", 21), ("BatchGetItem", 21)]


# -------------------------------------------------------------------------------------------------------- overview


def test_overview_is_as_documented(pool: Pool) -> None:
    user_id = pool.sign_up(EMAIL)
    a_plan(
        "a505df50-67bf-458b-805e-893b664a2d4c",
        at=from_iso("2022-11-11T14:57:56.907Z"),
        name="PROFESSIONAL",
        max_api_key=20,
        max_balance_usd=15000,
        stripe_price_id="price_1M2yg4Do02xBK2h5WLRRmZlR",
    )
    a_user(
        user_id,
        at=from_iso("2022-11-11T15:22:13.905Z"),
        email=EMAIL,
        email_verified=True,
        first_name="jane",
        last_name="doe",
        plan_id="a505df50-67bf-458b-805e-893b664a2d4c",
        plan_changed_at=from_iso("2022-11-11T15:33:09.494Z"),
        stripe_customer_id="cus_MmYKZgS50gQgsm",
    )
    User(user_id).update(actions=[User.updated_at.set(from_iso("2022-11-11T15:24:02.328Z"))])
    answer = overview(user_id)
    assert answer.status == 200
    assert answer.body == {
        "id": user_id,
        "status": "CONFIRMED",
        "active": True,
        "emailVerified": True,
        "email": "janedoe@example.com",
        "firstName": "jane",
        "lastName": "doe",
        "createdAt": "2022-11-11T15:22:13.905Z",
        "updatedAt": "2022-11-11T15:24:02.328Z",
        "UserSubscription": {
            "stripeCustomerId": "cus_MmYKZgS50gQgsm",
            "updatedAt": "2022-11-11T15:33:09.494Z",
            "SubscriptionType": {
                "id": "a505df50-67bf-458b-805e-893b664a2d4c",
                "name": "PROFESSIONAL",
                "maxApiKey": 20,
                "maxBalanceUSD": 15000,
                "private": False,
                "stripePriceId": "price_1M2yg4Do02xBK2h5WLRRmZlR",
                "updatedAt": "2022-11-11T14:57:56.907Z",
            },
        },
    }


def test_a_user_on_a_free_plan_has_null_for_the_fields_of_stripe(pool: Pool) -> None:
    user_id = pool.sign_up()
    a_plan()
    a_user(user_id)
    subscription = overview(user_id).body["UserSubscription"]
    assert subscription["stripeCustomerId"] is None
    assert subscription["SubscriptionType"]["stripePriceId"] is None


def test_without_any_plan_the_subscription_is_null(pool: Pool) -> None:
    user_id = pool.sign_up()
    a_user(user_id, plan_id=None)
    assert overview(user_id).body["UserSubscription"] is None


def test_overview_updates_the_fields_that_cognito_owns_and_no_others(pool: Pool) -> None:
    user_id = pool.sign_up(email_verified="false", given_name="Other", family_name="Name")
    a_user(user_id, status="RESET_REQUIRED", email="old@example.com", email_verified=True, telegram_chat_id="7")
    body = overview(user_id).body
    assert (body["status"], body["email"], body["emailVerified"]) == ("CONFIRMED", EMAIL, False)
    assert (body["firstName"], body["lastName"], body["active"]) == ("John", "Doetwo", True)
    user = stored(user_id)
    assert (user.status, user.email, user.email_verified) == ("CONFIRMED", EMAIL, False)
    assert (user.first_name, user.telegram_chat_id) == ("John", "7")
    assert to_iso(user.updated_at) == body["updatedAt"] > to_iso(user.created_at)


def test_overview_of_a_record_in_sync_writes_nothing(pool: Pool) -> None:
    user_id = pool.sign_up()
    a_user(user_id, email=EMAIL, email_verified=True)
    before = stored(user_id).to_dynamodb_dict()
    assert overview(user_id).body == overview(user_id).body
    assert stored(user_id).to_dynamodb_dict() == before


def test_reading_a_user_who_is_disabled_in_cognito_alone_stops_no_trading(pool: Pool, log: io.StringIO) -> None:
    user_id = pool.sign_up()
    a_user(user_id)
    aws_client("cognito-idp").admin_disable_user(UserPoolId=pool.id, Username=user_id)
    assert overview(user_id).body["active"] is True
    assert stored(user_id).active is True
    assert "account_disabled_in_pool_only" in log.getvalue()


def test_user_of_another_identity_provider_is_found_by_sub(pool: Pool) -> None:
    user_id = pool.sign_in_from_google(email="a.b+tag@example.com", email_verified="false")
    a_user(user_id)
    body = overview(user_id).body
    assert (body["status"], body["active"], body["email"]) == ("CONFIRMED", True, "a.b+tag@example.com")
    user = stored(user_id)
    assert (user.active, user.username) == (True, GOOGLE_NAME)


def test_user_of_another_identity_provider_without_a_record_gets_one(pool: Pool) -> None:
    user_id = pool.sign_in_from_google()
    assert overview(user_id).body["id"] == user_id
    assert (stored(user_id).username, stored(user_id).active) == (GOOGLE_NAME, True)


def test_confirmed_user_of_google_is_shown_and_trades_on(pool: Pool) -> None:
    user_id = pool.sign_in_from_google(email="a.b+tag@example.com")
    event = {
        "triggerSource": "PostConfirmation_ConfirmSignUp",
        "userName": GOOGLE_NAME,
        "request": {
            "userAttributes": {
                "sub": user_id,
                "cognito:user_status": "EXTERNAL_PROVIDER",
                "email": "a.b+tag@example.com",
                "email_verified": "false",
                "identities": '[{"providerName":"Google","userId":"1234567890"}]',
            }
        },
    }
    user_recorder.lambda_handler(dict(event), None)
    assert (stored(user_id).username, stored(user_id).status) == (GOOGLE_NAME, "EXTERNAL_PROVIDER")
    assert overview(user_id).body["active"] is True
    assert stored(user_id).active is True


def test_name_that_a_new_account_uses_again_shows_nothing_of_that_account(pool: Pool) -> None:
    old_id, new_id = USER_ID, pool.sign_in_from_google(email="new@example.com")
    a_user(old_id, username=GOOGLE_NAME, email="old@example.com")
    body = overview(old_id).body
    assert (body["status"], body["email"]) == ("UNKNOWN", "old@example.com")
    assert overview(new_id).body["email"] == "new@example.com"


def test_a_user_disabled_here_stays_so_whatever_cognito_says(pool: Pool) -> None:
    user_id = pool.sign_up()
    a_user(user_id, active=False)
    assert overview(user_id).body["active"] is False
    assert stored(user_id).active is False


def test_a_user_whom_only_cognito_knows_gets_a_record_with_the_default_plan(pool: Pool) -> None:
    the_default_plan()
    user_id = pool.sign_up(given_name="Jane", family_name="Doe")
    body = overview(user_id).body
    assert (body["id"], body["email"], body["firstName"], body["lastName"]) == (user_id, EMAIL, "Jane", "Doe")
    assert body["UserSubscription"]["SubscriptionType"]["name"] == "DEFAULT"
    listed = send(lambda_handler, sample(LIST)).body["items"]
    assert [item["uid"] for item in listed] == [user_id]
    assert listed[0]["createdAt"] == body["createdAt"]


def test_a_sign_up_that_nobody_confirmed_is_no_user(pool: Pool) -> None:
    made = aws_client("cognito-idp").sign_up(ClientId=pool.client_id, Username=EMAIL, Password="Correct 1 battery")
    answer = overview(made["UserSub"])
    assert (answer.status, answer.body) == NOT_FOUND
    assert User.find(made["UserSub"]) is None


@pytest.mark.parametrize("active", [True, False])
def test_a_user_whom_cognito_does_not_show_is_unknown_and_trades_as_before(pool: Pool, active: bool) -> None:
    a_user(email=EMAIL, active=active)
    body = overview(USER_ID).body
    assert (body["status"], body["active"], body["email"]) == ("UNKNOWN", active, EMAIL)
    assert stored(USER_ID).active is active


@pytest.mark.parametrize("user_id", [id_of("nobody"), "42", "janedoe@example.com"])
def test_unknown_user_is_not_found(pool: Pool, user_id: str) -> None:
    pool.sign_up()
    answer = overview(user_id)
    assert (answer.status, answer.body) == NOT_FOUND


@pytest.mark.parametrize(
    ("code", "status"),
    [("TooManyRequestsException", 503), ("InternalErrorException", 503), ("AccessDeniedException", 500)],
)
def test_cognito_that_does_not_answer_is_503_and_a_fault_of_ours_500(
    admin_api: Queues, monkeypatch: pytest.MonkeyPatch, code: str, status: int
) -> None:
    a_user()
    with Stubber(_a_client(monkeypatch)) as stubber:
        stubber.add_client_error("admin_get_user", code, http_status_code=400)
        answer = overview(USER_ID)
    assert answer.status == status
    assert stored(USER_ID).status == "CONFIRMED"
    if status == 503:
        assert answer.body == {"message": "sign-in service cannot be reached"}


def test_cognito_out_of_reach_is_503(admin_api: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://cognito-idp.us-east-1.amazonaws.com")

    a_user()
    _a_client(monkeypatch).meta.events.register("before-call.cognito-identity-provider.*", refuse)
    assert overview(USER_ID).status == 503
    assert send(lambda_handler, sample(LIST)).status == 200


def _a_client(monkeypatch: pytest.MonkeyPatch) -> Any:
    import boto3  # noqa: PLC0415 - a client of its own, because the test breaks it

    client = boto3.client("cognito-idp", region_name="us-east-1")
    monkeypatch.setattr(user_pool, "_cognito", lambda: client)
    return client
