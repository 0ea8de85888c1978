"""The API's page of `make run` in a real browser: it shows every endpoint, and a request sent from it is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.system.browser import PROGRAMS, Page, find_browser, open_page
from tests.system.stack_client import Stack

BLOCK = """document.querySelector(".opblock[id$='list_subscriptions']")"""


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


def test_a_request_sent_from_the_page_is_answered(page: Page, stack: Stack) -> None:
    page.wait_for(f"!!{BLOCK}")
    page.evaluate(f"{BLOCK}.querySelector('.opblock-summary-control').click()")
    page.wait_for(f"!!{BLOCK}.querySelector('.btn.execute')")
    page.evaluate(f"{BLOCK}.querySelector('.btn.execute').click()")
    answer = f"{BLOCK}.querySelector('.live-responses-table .response')"
    status = page.wait_for(f"{answer}?.querySelector('.response-col_status')?.innerText")
    assert status.split()[0] == "200"
    shown = page.wait_for(f"{answer}.querySelector('.highlight-code code')?.innerText")
    assert json.loads(shown) == stack.get("/v1/admin/subscription/list").json()


def test_the_page_asks_no_other_server(page: Page, stack: Stack) -> None:
    asked = page.evaluate("performance.getEntriesByType('resource').map((one) => new URL(one.name).origin)")
    assert set(asked) == {stack.session["api"]}


def test_alerts_of_the_page_reach_the_webhook(stack: Stack) -> None:
    answer = stack.request("POST", f"{stack.session['api']}/docs/webhook/v1/webhook/strategy", headers={}, body={})
    assert answer.status == 422
    assert answer.json() == stack.webhook({}).json()
