"""What every admin route has in common, shown on a made-up function."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from shared.api import maintenance
from shared.api.admin_api import AdminApi
from shared.api.csv_text import CsvFile
from shared.api.fields import Flag
from shared.api.formats import FormattedListQuery
from shared.api.requests import Body, ListQuery
from shared.errors import NotFound, RequestUnprocessable, ServiceUnavailable
from shared.messages import MessageNotSent
from tests.unit.admin_requests import Answer, Handler, sample, send, with_body
from tests.unit.in_process_aws import aws_client

THING = "a12565e5-567b-432a-93b2-6349653010d9"

pytestmark = pytest.mark.usefixtures("admin_api")


class Change(Body):
    active: Flag


class MadeUp(Exception):
    """An error that only this function's endpoints raise."""


WEB_ORIGIN = "https://admin.example.com"


@pytest.fixture
def handler(settings_from: Callable[..., None]) -> Handler:
    settings_from(WEB_ORIGIN=WEB_ORIGIN)
    return make_handler()


def make_handler() -> Handler:  # noqa: C901 - a list of routes
    app = AdminApi()
    failures: dict[str, Exception] = {
        "bug": ZeroDivisionError("secret detail"),
        "unavailable": ServiceUnavailable("exchange cannot be reached"),
        "unsent": MessageNotSent("1 message(s) not taken"),
        "made-up": MadeUp(),
    }
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]

    @app.get("/v1/admin/thing/list")
    def list_things() -> dict[str, Any]:
        app.query(ListQuery)
        return {"items": [{"price": Decimal("19299.90")}]}

    @app.put("/v1/admin/thing/<thing_id>")
    def change_thing(thing_id: str) -> dict[str, Any]:
        if thing_id != THING:
            raise NotFound("no such thing")
        return {"id": thing_id, "active": app.body(Change).active}

    @app.get("/v1/admin/thing/file")
    def show_file() -> dict[str, Any] | CsvFile:
        query = app.query(FormattedListQuery)
        token = "the-next-page" if query.limit == 1 else None
        file = CsvFile(name="things.csv", text="name\r\nZo\u00eb\r\n", next_token=token)
        return file if app.wants_csv(query) else {"items": []}

    @app.get("/v1/admin/failure/bug")
    def fail() -> None:
        raise failures["bug"]

    @app.get("/v1/admin/failure/unwritable")
    def answer_an_object() -> dict[str, Any]:
        return {"at": object()}

    @app.get("/v1/admin/failure/deep")
    def answer_too_deep() -> dict[str, Any]:
        return {"items": deep}

    @app.delete("/v1/admin/thing/<thing_id>")
    def delete_thing(thing_id: str) -> dict[str, Any]:
        return {"id": thing_id}

    @app.delete("/v1/admin/thing/<thing_id>/all")
    def delete_all(thing_id: str) -> dict[str, Any]:
        return {"all": thing_id}

    @app.get("/v1/admin/failure/unavailable")
    def be_unavailable() -> None:
        raise failures["unavailable"]

    @app.get("/v1/admin/failure/unsent")
    def send_nothing() -> None:
        raise failures["unsent"]

    @app.get("/v1/admin/failure/made-up")
    def fail_in_an_own_way() -> None:
        raise failures["made-up"]

    @app.answers(MadeUp)
    def answer_made_up(_: MadeUp) -> Any:
        raise RequestUnprocessable([])

    return app.resolve


def lines_of(log: io.StringIO, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in lines if line["message"] == event]


def request(method: str, path: str, body: Any = None, *, claims: dict[str, Any] | None = None) -> dict[str, Any]:
    # Which route the gateway chose matters to one test, which says so.
    event = sample("admin_setting_notification/get_notification") | {"httpMethod": method, "path": path}
    event["resource"] = path.rstrip("/")
    event["requestContext"]["authorizer"]["claims"] |= claims or {}
    return with_body(event, body)


def message_of(answer: Answer) -> tuple[int, str]:
    assert set(answer.body) == {"message"}
    return answer.status, answer.body["message"]


def test_answer_is_json_with_exact_numbers_and_the_request_id(handler: Handler) -> None:
    answer = send(handler, request("GET", "/v1/admin/thing/list"))
    assert answer.status == 200
    assert answer.text == '{"items":[{"price":19299.9}]}'
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def test_a_file_is_answered_as_it_is_with_its_name_and_the_token_of_the_next_page(handler: Handler) -> None:
    event = request("GET", "/v1/admin/thing/file")
    first = send(handler, event | {"queryStringParameters": {"format": "csv", "limit": "1"}})
    assert (first.status, first.text) == (200, "name\r\nZo\u00eb\r\n")
    assert first.headers["content-type"] == "text/csv; charset=utf-8"
    assert first.headers["content-disposition"] == 'attachment; filename="things.csv"'
    assert first.headers["x-next-token"] == "the-next-page"
    assert first.headers["x-request-id"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    last = send(handler, event | {"queryStringParameters": {"format": "csv"}})
    assert "x-next-token" not in last.headers


@pytest.mark.parametrize("accept_header", ["Accept", "accept"])
def test_the_query_decides_on_the_format_and_without_it_the_header(handler: Handler, accept_header: str) -> None:
    event = request("GET", "/v1/admin/thing/file")
    event["headers"] = {accept_header: "text/csv"}
    for query, kind in ((None, "text/csv; charset=utf-8"), ({"format": "json"}, "application/json")):
        answer = send(handler, event | {"queryStringParameters": query})
        assert (answer.status, answer.headers["content-type"]) == (200, kind)


def test_a_request_for_a_file_is_refused_in_json(handler: Handler) -> None:
    event = request("GET", "/v1/admin/thing/file")
    event["headers"] = {"Accept": "text/csv"}
    answer = send(handler, event | {"queryStringParameters": {"format": "xml"}})
    assert (answer.status, answer.headers["content-type"]) == (422, "application/json")
    assert answer.body == {
        "errors": [{"value": "xml", "msg": "must be json or csv", "param": "format", "location": "query"}]
    }


def test_every_refused_token_gets_the_same_answer(handler: Handler) -> None:
    for path in ("/v1/admin/thing/list", "/v1/admin/nothing", "/v1/admin/failure/bug"):
        assert message_of(send(handler, request("GET", path, claims={"token_use": "access"}))) == (401, "unauthorized")


def test_token_outside_the_group_is_forbidden_everywhere(handler: Handler) -> None:
    for path in ("/v1/admin/thing/list", "/v1/admin/nothing", "/v1/admin/failure/bug"):
        event = request("GET", path, claims={"cognito:groups": "[administrators]"})
        assert message_of(send(handler, event)) == (403, "forbidden")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/admin/nothing"),
        ("DELETE", "/v1/admin/thing/list"),
        ("PUT", "/v1/admin/thing/not-a-uuid"),
        ("PUT", "/v1/admin/thing/a12565e5567b432a93b26349653010d9"),
        ("PUT", "/v1/admin/thing/{a12565e5-567b-432a-93b2-6349653010d9}"),
        ("PUT", "/v1/admin/thing/c8a716b6-b6e6-4e16-b364-1b3647198d64"),
        ("GET", "/"),
    ],
)
def test_unknown_routes_and_ids_are_not_found(handler: Handler, method: str, path: str) -> None:
    assert message_of(send(handler, request(method, path))) == (404, "route not found")


def test_unknown_id_goes_before_an_unreadable_body(handler: Handler) -> None:
    answer = send(handler, request("PUT", "/v1/admin/thing/c8a716b6-b6e6-4e16-b364-1b3647198d64", "{"))
    assert answer.status == 404


def test_unreadable_body_goes_before_its_faults(handler: Handler) -> None:
    assert send(handler, request("PUT", f"/v1/admin/thing/{THING}", "{")).status == 400
    answer = send(handler, request("PUT", f"/v1/admin/thing/{THING}", {"active": 1}))
    assert (answer.status, answer.body) == (
        422,
        {"errors": [{"value": 1, "msg": "must be boolean", "param": "active", "location": "body"}]},
    )


def test_id_in_capitals_is_the_same_id(handler: Handler) -> None:
    answer = send(handler, request("PUT", f"/v1/admin/thing/{THING.upper()}", {"active": True}))
    assert (answer.status, answer.body) == (200, {"id": THING, "active": True})


def test_bug_answers_500_and_reveals_nothing(handler: Handler, log: io.StringIO) -> None:
    answer = send(handler, request("GET", "/v1/admin/failure/bug"))
    assert message_of(answer) == (500, "internal server error")
    assert answer.headers["x-request-id"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    logged = lines_of(log, "request_failed")
    assert [line["exception_name"] for line in logged] == ["ZeroDivisionError"]
    assert logged[0]["request_id"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


@pytest.mark.parametrize("path", ["/v1/admin/failure/unwritable", "/v1/admin/failure/deep"])
def test_answer_that_cannot_be_written_is_a_500_like_any_other(handler: Handler, log: io.StringIO, path: str) -> None:
    event = request("GET", path)
    event["headers"]["Origin"] = "https://admin.example.com"
    event["multiValueHeaders"]["Origin"] = ["https://admin.example.com"]
    answer = send(handler, event)
    assert message_of(answer) == (500, "internal server error")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    assert answer.headers["access-control-allow-origin"] == WEB_ORIGIN
    assert len(lines_of(log, "request_failed")) == 1
    assert [line["status"] for line in lines_of(log, "request_answered")] == [500]


LIST = "/v1/admin/thing/list"
ALL = f"/v1/admin/thing/{THING}/all"


@pytest.mark.parametrize(
    "ending", ["\n", "/\n", "\r", "\r\n", "\x00", " ", "\u2028", "//", "///", "%0a", "\ufeff", ";x"]
)
@pytest.mark.parametrize(("method", "path"), [("GET", LIST), ("DELETE", f"/v1/admin/thing/{THING}"), ("DELETE", ALL)])
def test_path_with_more_behind_it_is_another_path(handler: Handler, method: str, path: str, ending: str) -> None:
    assert message_of(send(handler, request(method, path + ending))) == (404, "route not found")


@pytest.mark.parametrize(("method", "path"), [("GET", LIST), ("DELETE", f"/v1/admin/thing/{THING}")])
def test_path_may_end_in_one_slash(handler: Handler, method: str, path: str) -> None:
    assert send(handler, request(method, path + "/")).status == 200


@pytest.mark.parametrize("path", ["/v1//admin/thing/list", "//v1/admin/thing/list", "/v1/admin/thing//list"])
def test_path_with_two_slashes_is_another_path(handler: Handler, path: str) -> None:
    assert send(handler, request("GET", path)).status == 404


def test_path_whose_slash_was_escaped_is_not_the_longer_route(handler: Handler) -> None:
    """API Gateway reads `<id>%2Fall` as an id, and hands it over decoded."""
    escaped = request("DELETE", ALL) | {"resource": "/v1/admin/thing/{ID}"}
    assert message_of(send(handler, escaped)) == (404, "route not found")
    asked = request("DELETE", ALL) | {"resource": "/v1/admin/thing/{ID}/all"}
    assert send(handler, asked).body == {"all": THING}


def test_unavailable_dependency_answers_503(handler: Handler) -> None:
    answer = send(handler, request("GET", "/v1/admin/failure/unavailable"))
    assert message_of(answer) == (503, "exchange cannot be reached")
    assert send(handler, request("GET", "/v1/admin/failure/unsent")).status == 503


def test_maintenance_answers_503_to_admins_only(handler: Handler) -> None:
    aws_client("ssm").put_parameter(Name="/unit/maintenance", Type="String", Value="on", Overwrite=True)
    maintenance.forget_cached_switch()
    assert send(handler, request("GET", "/v1/admin/thing/list")).status == 503
    assert send(handler, request("GET", "/v1/admin/nothing")).status == 503
    assert send(handler, request("GET", "/v1/admin/thing/list", claims={"token_use": "access"})).status == 401


def test_request_id_of_the_invocation_serves_where_the_gateway_gave_none(handler: Handler) -> None:
    event = request("GET", "/v1/admin/thing/list")
    del event["requestContext"]["requestId"]
    assert send(handler, event).headers["x-request-id"] == "7f3b8f3a-5d0b-4a4e-9b27-2f2f6c8c1d11"


def test_log_of_a_request_names_the_admin_and_no_token(handler: Handler, log: io.StringIO) -> None:
    event = request("GET", "/v1/admin/thing/list")
    event["headers"]["Authorization"] = "Bearer header.payload.signature"
    send(handler, event)
    send(handler, request("GET", "/v1/admin/thing/list", claims={"aud": "another"}))
    assert [(line["status"], line.get("admin_id")) for line in lines_of(log, "request_answered")] == [
        (200, "7d8ca528-4931-4254-9273-ea5ee853f271"),
        (401, None),
    ]
    assert "header.payload.signature" not in log.getvalue()


def test_preflight_needs_no_token_and_reaches_no_route(handler: Handler) -> None:
    event = request("OPTIONS", "/v1/admin/failure/bug", claims={"token_use": "access"})
    event["headers"]["Origin"] = event["multiValueHeaders"]["Origin"] = "https://admin.example.com"
    answer = send(handler, event)
    assert (answer.status, answer.text) == (204, "")
    assert answer.headers["access-control-allow-origin"] == WEB_ORIGIN
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()


def test_a_browser_may_read_the_next_token_of_a_file(handler: Handler) -> None:
    event = request("GET", "/v1/admin/thing/file")
    event["headers"]["Origin"] = "https://admin.example.com"
    event["multiValueHeaders"]["Origin"] = ["https://admin.example.com"]
    exposed = send(handler, event).headers["access-control-expose-headers"].split(",")
    assert {"x-request-id", "x-next-token", "content-disposition"} <= {name.strip() for name in exposed}


@pytest.mark.parametrize("path", ["/v1/admin/thing/list", "/v1/admin/nothing", "/v1/admin/failure/unwritable"])
def test_browsers_of_the_one_web_page_may_read_answers_without_credentials(handler: Handler, path: str) -> None:
    answer = send(handler, from_page(path, WEB_ORIGIN))
    assert answer.headers["access-control-allow-origin"] == WEB_ORIGIN
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.com",
        "https://admin.example.com.evil.com",
        "http://admin.example.com",
        "https://admin.example.com:8443",
        "null",
        "*",
    ],
)
@pytest.mark.parametrize("path", ["/v1/admin/thing/list", "/v1/admin/failure/unwritable"])
def test_browsers_of_other_pages_may_read_nothing(handler: Handler, path: str, origin: str) -> None:
    assert cors_headers(send(handler, from_page(path, origin))) == {}


@pytest.mark.parametrize("path", ["/v1/admin/thing/list", "/v1/admin/failure/unwritable"])
def test_where_no_web_page_is_named_no_browser_may_read_an_answer(path: str) -> None:
    assert cors_headers(send(make_handler(), from_page(path, WEB_ORIGIN))) == {}


def from_page(path: str, origin: str) -> dict[str, Any]:
    event = request("GET", path)
    event["headers"]["Origin"] = origin
    event["multiValueHeaders"]["Origin"] = [origin]
    return event


def cors_headers(answer: Answer) -> dict[str, Any]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}
