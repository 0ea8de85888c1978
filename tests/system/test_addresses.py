"""The deployed API at its plain address: who gets in, and what the gateway itself answers."""

from __future__ import annotations

import pytest

from tests.system.stack_client import Stack

LIST = "/v1/admin/setting/strategy/list"


@pytest.mark.parametrize("path", ["/", "/v1/admin", "/v1/admin/setting/strategy/unknown/path", "/v1/webhook/strategy"])
def test_unknown_route_is_not_found(stack: Stack, path: str) -> None:
    for token in (None, ""):
        answer = stack.get(path, token=token)
        assert (answer.status, answer.json()) == (404, {"message": "route not found"})


def test_unknown_method_is_not_found(stack: Stack) -> None:
    answer = stack.api("DELETE", LIST)
    assert (answer.status, answer.json()) == (404, {"message": "route not found"})


@pytest.mark.parametrize("token", [None, "nonsense", "Bearer nonsense", "Bearer a.b.c"])
def test_without_a_good_token_nobody_gets_in(stack: Stack, token: str | None) -> None:
    answer = stack.get(LIST, token=token)
    assert (answer.status, answer.json()) == (401, {"message": "unauthorized"})
    assert answer.headers.get("X-Request-ID")


def test_a_forged_token_does_not_get_in(stack: Stack) -> None:
    head, claims, signature = stack.session["adminToken"].split(".")
    forged = f"{head}.{claims}.{signature[:-8]}{'A' * 8}"
    assert stack.get(LIST, token=forged).status == 401


def test_a_user_outside_the_group_is_forbidden(stack: Stack) -> None:
    answer = stack.get(LIST, token=stack.session["userToken"])
    assert (answer.status, answer.json()) == (403, {"message": "forbidden"})


@pytest.mark.parametrize("scheme", ["", "Bearer "])
def test_an_admin_gets_in_with_or_without_bearer(stack: Stack, scheme: str) -> None:
    answer = stack.get(LIST, token=scheme + stack.session["adminToken"])
    assert answer.status == 200
    assert answer.json()["items"][0]["name"] == "DEMO"
