"""The OpenAPI document: the checked-in file agrees with the code, the template, the endpoints and OpenAPI 3.1."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, NotRequired, TypedDict

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import create_model

from local.docs_page.page import WEBHOOK_PREFIX, local_document
from local.openapi.__main__ import FILE, text
from local.openapi.alert_schemas import AlertBody
from local.openapi.document import Document, Function, functions
from local.openapi.handlers import UnclearHandler, reads_of
from local.openapi.schemas import Clash, Components
from local.stack.places import ROOT
from shared.api import alert_fields as alerts
from shared.api.admin_api import AdminApi
from shared.api.answers import Id
from shared.api.fields import ApiSecretText, Name, Percentage
from shared.api.paging import Listing
from shared.api.requests import Body, ListQuery
from shared.errors import RequestUnprocessable
from shared.exchange import documented_shapes
from shared.trading.sides import Side
from shared.views import exchange_account_items as exchange
from tests.unit.documented_routes import ACCOUNT, DOCUMENTED, OWN, WEBHOOK

CHECKED_IN: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))


SAMPLE_BODIES = sorted(
    str(file.relative_to(ROOT / "events"))
    for file in (ROOT / "events").glob("admin_*/*.json")
    if json.loads(file.read_text("utf-8"))["body"]
    and not any(word in file.stem for word in ("wrong", "empty", "unknown", "outside"))
)


def operations() -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
    """Yield function, method and path of each operation, and the operation."""
    for path, item in CHECKED_IN["paths"].items():
        for method, operation in item.items():
            yield (operation["tags"][0], method.upper(), path), operation


def operation(method: str, path: str) -> dict[str, Any]:
    return next(found for (_, *route), found in operations() if route == [method, path])


def body_of(method: str, path: str) -> dict[str, Any]:
    schema: dict[str, Any] = operation(method, path)["requestBody"]["content"]["application/json"]["schema"]
    named: dict[str, Any] = CHECKED_IN["components"]["schemas"]
    return named[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def validator(schema: dict[str, Any]) -> OAS31Validator:
    return OAS31Validator(schema | {"components": CHECKED_IN["components"]})


def sample_body(name: str) -> Any:
    return json.loads(json.loads((ROOT / "events/strategy_webhook" / f"{name}.json").read_text("utf-8"))["body"])


def test_the_checked_in_document_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run `make openapi`"


def test_it_is_openapi_3_1() -> None:
    assert CHECKED_IN["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(CHECKED_IN).iter_errors()) == []
    assert list(OpenAPIV31SpecValidator(local_document(json.loads(text()))).iter_errors()) == []


def test_the_validator_refuses_an_invalid_document() -> None:
    without_title = CHECKED_IN | {"info": {"version": "1"}}
    assert list(OpenAPIV31SpecValidator(without_title).iter_errors())


def test_it_has_the_documented_endpoints_each_in_its_function_and_our_own() -> None:
    own = {route for route, found in operations() if found.get("x-lockstep-own") is True}
    assert own == OWN | ACCOUNT
    assert {route for route, _ in operations()} - own == DOCUMENTED
    assert len(DOCUMENTED) == 36


def test_it_has_the_routes_that_are_deployed() -> None:
    deployed = {(one.logical_id, *route) for one in functions() for route in one.routes}
    assert {route for route, _ in operations()} == deployed


def test_every_operation_takes_a_token_of_its_pool_and_the_webhook_none() -> None:
    assert CHECKED_IN["security"] == [{"IdToken": []}]
    assert {route for route, found in operations() if found.get("security") == []} == {WEBHOOK}
    assert {route for route, found in operations() if found.get("security") == [{"UserIdToken": []}]} == ACCOUNT


def test_every_operation_names_its_possible_refusals() -> None:
    for (_, _, path), found in operations():
        statuses = set(found["responses"])
        assert {"200", "401", "429", "500", "503"} <= statuses
        assert ("404" in statuses) == ("{" in path)
        assert ("400" in statuses) == ("requestBody" in found)
        takes = "requestBody" in found or any(one["in"] != "path" for one in found.get("parameters", []))
        assert ("422" in statuses) == takes
    assert "433" in operation("POST", "/v1/admin/setting/strategy")["responses"]


def test_a_body_shows_accepted_required_and_ignored_fields() -> None:
    body = body_of("POST", "/v1/admin/setting/strategy/profile")
    answer = {"id": "x", "createdAt": "x", "updatedAt": "x"}
    for fine in ({"name": "A", "percentage": 2}, {"name": "A", "percent": 2}, {"name": "A", "percent": 2} | answer):
        validator(body).validate(fine)
    wrong: list[dict[str, Any]] = [
        {},
        {"name": "A"},
        {"name": "A", "percentage": 0},
        {"name": "A", "percentage": "2"},
        {"name": "A", "percentage": 2, "colour": "red"},
    ]
    for one in wrong:
        assert not validator(body).is_valid(one), one


@pytest.mark.parametrize("name", SAMPLE_BODIES)
def test_an_accepted_sample_matches_the_document(name: str) -> None:
    event = json.loads((ROOT / "events" / name).read_text("utf-8"))
    method, path = event["httpMethod"], event["path"]
    found = next(one for one in CHECKED_IN["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one), path))
    validator(body_of(method, found)).validate(json.loads(event["body"]))


def test_every_body_has_an_example_and_every_example_matches() -> None:
    with_body = [found for _, found in operations() if "requestBody" in found and found.get("security") != []]
    assert with_body
    for found in with_body:
        content = found["requestBody"]["content"]["application/json"]
        assert content.get("examples"), found["operationId"]
        for example in content["examples"].values():
            validator(content["schema"]).validate(example["value"])


def test_a_secret_is_write_only() -> None:
    assert body_of("POST", "/v1/admin/setting/strategy")["properties"]["reportExchangeApiSecretKey"]["writeOnly"]
    assert "reportExchangeApiSecretKey" not in CHECKED_IN["components"]["schemas"]["StrategyItem"]["properties"]


def test_a_list_shows_its_parameters_with_their_bounds_and_defaults() -> None:
    parameters = operation("GET", "/v1/admin/subscription/list")["parameters"]
    assert [one["name"] for one in parameters] == ["limit", "nextToken"]
    assert parameters[0]["schema"] == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}


def test_a_list_in_csv_too_shows_both_types_and_the_header_of_its_token() -> None:
    answer = operation("GET", "/v1/admin/strategy/trigger/{TRIGGER_ID}/timeline")["responses"]["200"]
    assert answer["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/Timeline"}},
        "text/csv": {"schema": {"type": "string"}},
    }
    assert set(answer["headers"]) == {"X-Request-Id", "X-Next-Token", "Content-Disposition"}
    in_csv = {path for (_, _, path), found in operations() if "text/csv" in found["responses"]["200"]["content"]}
    assert in_csv == {
        "/v1/admin/strategy/trigger/{TRIGGER_ID}/timeline",
        "/v1/account/trade/strategy/history",
        "/v1/account/trade/manual/history",
    }
    others = [found["responses"]["200"] for (_, _, path), found in operations() if path not in in_csv]
    assert all(set(one["headers"]) == {"X-Request-Id"} for one in others)


def test_the_header_of_new_orders_is_shown() -> None:
    parameters = operation("POST", "/v1/admin/strategy/follower/{ID}")["parameters"]
    assert [(one["name"], one["in"]) for one in parameters] == [("ID", "path"), ("Idempotency-Key", "header")]


@pytest.mark.parametrize(
    ("item", "fields"),
    [
        (exchange.PositionItem, documented_shapes.POSITION),
        (exchange.OrderItem, documented_shapes.ORDER),
        (exchange.TradeItem, documented_shapes.TRADE),
        (exchange.AssetBalance, documented_shapes.BALANCE),
    ],
)
def test_every_field_from_the_exchange_is_declared(item: Any, fields: documented_shapes.Fields) -> None:
    assert list(item.__annotations__) == list(fields)


@pytest.mark.parametrize("name", ["alert", "close", "flat", "update", "wrong_secret", "without_take_profit"])
def test_an_alert_is_declared_as_it_is_validated(name: str) -> None:
    validator(body_of("POST", "/v1/webhook/strategy")).validate(sample_body(name))


@pytest.mark.parametrize("field", [name for name in AlertBody.__annotations__ if name not in {"winRate", "secret"}])
def test_a_declared_field_of_an_alert_is_read_and_its_faults_are_declared(field: str) -> None:
    wrong = sample_body("alert") | {field: [], "trailingTrigger": "1", "callbackRate": "1"} | {field: []}
    assert not validator(body_of("POST", "/v1/webhook/strategy")).is_valid(wrong)
    with pytest.raises(RequestUnprocessable) as caught:
        alerts.parse_alert(wrong)
    assert field in {fault["param"] for fault in caught.value.faults}
    validator(CHECKED_IN["components"]["schemas"]["AlertFaults"]).validate({"errors": caught.value.faults})


@pytest.mark.parametrize("changes", [{"type": "hold"}, {"type": "close", "position": "long"}, {"position": []}])
def test_an_alert_that_is_refused_for_its_type_is_not_declared(changes: dict[str, Any]) -> None:
    wrong = sample_body("alert") | changes
    assert not validator(body_of("POST", "/v1/webhook/strategy")).is_valid(wrong)
    with pytest.raises(RequestUnprocessable):
        alerts.parse_alert(wrong)


def test_the_faults_of_missing_take_profits_are_declared() -> None:
    with pytest.raises(RequestUnprocessable) as caught:
        alerts.parse_alert(sample_body("without_take_profit"))
    validator(CHECKED_IN["components"]["schemas"]["AlertFaults"]).validate({"errors": caught.value.faults})


def test_the_local_page_sends_every_request_to_its_own_server() -> None:
    document = local_document(json.loads(text()))
    assert [one["url"] for one in document["servers"]] == ["/"]
    servers = [one["servers"] for item in document["paths"].values() for one in item.values() if "servers" in one]
    assert [one["url"] for one in servers[0]] == [WEBHOOK_PREFIX]
    assert len(servers) == 1


class Thing(TypedDict):
    """A thing."""

    id: Id
    price: Decimal | None
    note: NotRequired[str]


class ThingBody(Body):
    """A body."""

    answer = Thing
    name: Name
    percentage: Annotated[Percentage | None, *Percentage.__metadata__] = None
    secret: ApiSecretText


def test_a_declared_answer_becomes_a_component() -> None:
    components = Components()
    assert components.of(list[Thing]) == {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}
    assert components.schemas["Thing"] == {
        "type": "object",
        "description": "A thing.",
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "price": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "note": {"type": "string"},
        },
        "required": ["id", "price"],
        "additionalProperties": False,
    }


def test_a_list_is_named_after_its_items() -> None:
    components = Components()
    assert components.of(Listing[Thing]) == {"$ref": "#/components/schemas/ListingOfThing"}
    listing = components.schemas["ListingOfThing"]
    assert listing["properties"]["items"]["items"] == {"$ref": "#/components/schemas/Thing"}
    assert listing["required"] == ["items"]


def test_a_mapping_with_enum_keys_is_an_object_with_every_member() -> None:
    assert Components().of(dict[Side, int]) == {
        "type": "object",
        "properties": {"BUY": {"type": "integer"}, "SELL": {"type": "integer"}},
        "additionalProperties": False,
        "required": ["BUY", "SELL"],
    }
    assert Components().of(dict[str, int]) == {"type": "object", "additionalProperties": {"type": "integer"}}


def test_two_schemas_under_one_name_are_refused() -> None:
    components = Components()
    components.of(Thing)
    with pytest.raises(Clash, match="Thing"):
        components.of(TypedDict("Thing", {"id": str}))  # type: ignore[operator]
    components.of_body(ThingBody)
    with pytest.raises(Clash, match="ThingBody"):
        components.of_body(create_model("ThingBody", __base__=Body))


def app_with(*rules: str, method: str = "GET") -> AdminApi:
    app = AdminApi()

    def handler() -> Thing:
        """Return a thing."""
        raise NotImplementedError

    for rule in rules:
        app.route(rule, method)(handler)
    return app


def test_two_handlers_of_one_path_are_refused() -> None:
    document = Document()
    document.add_app(Function("A", "a", (("GET", "/v1/{ID}"),)), app_with("/v1/<a_id>"))
    with pytest.raises(Clash, match=r"GET /v1/\{ID\}"):
        document.add_app(Function("B", "b", (("GET", "/v1/{ID}"),)), app_with("/v1/<b_id>"))


def test_two_operations_under_one_id_are_refused() -> None:
    function = Function("A", "a", (("GET", "/v1/one"), ("GET", "/v1/two")))
    with pytest.raises(Clash, match=r"a\.handler"):
        Document().add_app(function, app_with("/v1/one", "/v1/two"))


def test_a_route_that_is_not_deployed_is_refused() -> None:
    with pytest.raises(LookupError, match="/v1/two"):
        Document().add_app(Function("A", "a", (("GET", "/v1/one"),)), app_with("/v1/two"))


api = AdminApi()


def reads_plainly() -> None:
    api.body(ThingBody)
    api.query(ListQuery, faults=[])


def reads_unclearly() -> None:
    api.query(type("Query", (ListQuery,), {}))


def test_a_handlers_models_are_found_in_its_code() -> None:
    found = reads_of(reads_plainly, api)
    assert (found.query, found.bodies, found.headers) == (ListQuery, (ThingBody,), ())


def test_a_handler_whose_models_cannot_be_found_is_refused() -> None:
    with pytest.raises(UnclearHandler, match="reads_unclearly"):
        reads_of(reads_unclearly, api)
