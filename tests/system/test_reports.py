"""Reports on the deployed stack: from the schedule's event through the queues to the mailbox and the chat, once."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from local.demo.report import letters
from local.stack.deploy import client
from local.stack.places import STACK_NAME
from local.telegram.bot import messages
from tests.system.stack_client import Stack, wait_for

TRADER, IDLE = "demo-1@example.com", "demo-2@example.com"
"""The demo's first follower starts with two months of generated trades, the others with none."""


@pytest.fixture(scope="module", autouse=True)
def _switched_on(stack: Stack) -> Iterator[None]:
    path = "/v1/admin/setting/notification"
    before = {name: value for name, value in stack.get(path).json().items() if name.startswith("notify")}
    assert stack.api("PUT", path, body={"notifyWeeklyReport": True, "notifyMonthlyReport": True}).status == 200
    yield
    assert stack.api("PUT", path, body=before).status == 200


def subjects(stack: Stack, address: str) -> list[str]:
    return [letter["Subject"] for letter in letters(stack.session["aws"], address)]


def switches(stack: Stack) -> dict[str, Any]:
    """Return the trader's own switches of reports, as stored."""
    dynamodb = client("dynamodb", stack.running.places)
    key = {"id": {"S": stack.running.seeded["followers"][0]["api_key_id"]}}
    user_id = dynamodb.get_item(TableName=f"{STACK_NAME}-exchange_keys", Key=key)["Item"]["user_id"]
    user = dynamodb.get_item(TableName=f"{STACK_NAME}-users", Key={"id": user_id}, ConsistentRead=True)["Item"]
    return {name: value for name, value in user.items() if name.endswith("_report_wanted") and "NULL" not in value}


def ask(address: str, *, form: bytes | None = None) -> str:
    """Open the page as a browser does, or send the request of a mail program's button."""
    with urllib.request.urlopen(address, data=form, timeout=30) as answer:  # noqa: S310 - 127.0.0.1
        page: str = answer.read().decode()
    return page


def test_users_who_traded_get_a_weekly_report_on_both_channels_and_a_repeated_schedule_sends_no_second_one(
    stack: Stack,
) -> None:
    period = stack.invoke("ReportSender", {"report": "WEEKLY"})["period"]
    assert len(period) == len("2022-09-05/2022-09-11")
    (letter,) = wait_for(
        "the weekly report",
        lambda: [one for one in letters(stack.session["aws"], TRADER) if "Your week" in one["Subject"]],
    )
    assert 'src="cid:equity"' in letter["BodyHtml"]
    assert "Deepest fall" in letter["BodyText"]
    chat_id = stack.running.seeded["chat_id"]
    wait_for(
        "the message in the chat",
        lambda: [one for one in messages(stack.session["telegram"], chat_id) if "Your week" in one["text"]],
    )
    assert not any("Your week" in subject for subject in subjects(stack, IDLE))

    stack.invoke("ReportSender", {"report": "WEEKLY"})
    # The monthly report uses the same queues, so a second weekly one would have arrived before it.
    stack.invoke("ReportSender", {"report": "MONTHLY"})
    wait_for("the monthly report", lambda: [one for one in subjects(stack, TRADER) if "Your month" in one])
    received = subjects(stack, TRADER)
    assert len([one for one in received if "Your week" in one]) == 1
    assert len([one for one in received if "Your month" in one]) == 1

    # The letter's link: opening it changes nothing, one click ends these letters.
    (link,) = re.findall(r"^Stop these letters: (\S+)$", letter["BodyText"].replace("\r", ""), re.MULTILINE)
    assert "Stop the weekly reports?" in ask(link)
    assert not switches(stack)
    for _ in range(2):
        assert "You get no more weekly reports" in ask(link, form=b"List-Unsubscribe=One-Click")
    assert switches(stack) == {"weekly_report_wanted": {"BOOL": False}}
