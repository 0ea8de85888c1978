"""The API's page of `make run` in a real browser: it shows every endpoint, and a request sent from it is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.system.browser import PROGRAMS, Page, find_browser, open_page
from tests.system.stack_client import Stack

REQUESTS = {
    "list_subscriptions": ("/v1/admin/subscription/list", "adminToken"),
    "get_profile": ("/v1/account/user", "userToken"),
}
"""Operations of both APIs, by the end of their blocks' ids: the path, and the token of the session that it needs."""


@pytest.fixture(scope="module")
def page(stack: Stack) -> Iterator[Page]:
    program = find_browser()
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(PROGRAMS)} is installed")
    with open_page(program, f"{stack.session['api']}/docs") as page:
        page.wait_for("document.body.dataset.ready")
        yield page


def test_every_endpoint_is_shown(page: Page, stack: Stack) -> None:
    document = stack.get("/openapi.json", token=None).json()
    operations = sum(len(item) for item in document["paths"].values())
    page.wait_for(f"document.querySelectorAll('.opblock').length === {operations}")


@pytest.mark.parametrize("operation", sorted(REQUESTS))
def test_a_request_sent_from_the_page_is_answered_as_the_demos_admin_or_user(
    page: Page, stack: Stack, operation: str
) -> None:
    block = f"""document.querySelector(".opblock[id$='{operation}']")"""
    page.wait_for(f"!!{block}")
    page.evaluate(f"{block}.querySelector('.opblock-summary-control').click()")
    page.wait_for(f"!!{block}.querySelector('.btn.execute')")
    page.evaluate(f"{block}.querySelector('.btn.execute').click()")
    answer = f"{block}.querySelector('.live-responses-table .response')"
    status = page.wait_for(f"{answer}?.querySelector('.response-col_status')?.innerText")
    assert status.split()[0] == "200"
    shown = page.wait_for(f"{answer}.querySelector('.highlight-code code')?.innerText")
    path, token = REQUESTS[operation]
    assert json.loads(shown) == stack.get(path, token=stack.session[token]).json()


def test_the_page_asks_no_other_server(page: Page, stack: Stack) -> None:
    asked = page.evaluate("performance.getEntriesByType('resource').map((one) => new URL(one.name).origin)")
    assert set(asked) == {stack.session["api"]}


def test_alerts_of_the_page_reach_the_webhook(stack: Stack) -> None:
    answer = stack.request("POST", f"{stack.session['api']}/docs/webhook/v1/webhook/strategy", headers={}, body={})
    assert answer.status == 422
    assert answer.json() == stack.webhook({}).json()
