"""Notices on the deployed stack: from a trade to the user's chat or mailbox, and the bot's commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from local.stack.deploy import client
from local.stack.places import STACK_NAME
from local.telegram.bot import messages, write
from tests.system.stack_client import FollowedStrategy, Stack, wait_for


@pytest.fixture
def strategy(stack: Stack) -> FollowedStrategy:
    stack.move_price("BTCUSDT", "20000")
    return stack.add_strategy(f"NOTIFIED{uuid4().hex[:8]}", followers=2)


def chat_says(strategy: FollowedStrategy, text: str) -> Callable[[], list[str]]:
    def read() -> list[str]:
        found = messages(strategy.stack.session["telegram"], strategy.chat_id)
        return [one["text"] for one in found if text in one["text"]]

    return read


def letters(strategy: FollowedStrategy, number: int) -> list[dict[str, Any]]:
    """Return the e-mails to a follower's user."""
    stack, address = strategy.stack, user_of(strategy, number)["email"]["S"]
    found = stack.request("GET", f"{stack.session['aws']}/_ministack/ses/messages", {}).json()["messages"]
    return [one for account in found.values() for one in account if address in one["To"]]


def user_of(strategy: FollowedStrategy, number: int = 0) -> dict[str, Any]:
    """Return the stored user of a follower: the first one has a chat, the second has none."""
    dynamodb = client("dynamodb", strategy.stack.running.places)
    key = {"id": {"S": strategy.followers[number]["api_key_id"]}}
    api_key = dynamodb.get_item(TableName=f"{STACK_NAME}-exchange_keys", Key=key)["Item"]
    user: dict[str, Any] = dynamodb.get_item(
        TableName=f"{STACK_NAME}-users", Key={"id": api_key["user_id"]}, ConsistentRead=True
    )["Item"]
    return user


def test_entry_and_close_are_notified_in_the_chat_or_by_email_and_repeated_messages_send_nothing(
    stack: Stack, strategy: FollowedStrategy
) -> None:
    trigger_id = strategy.fire()
    strategy.wait_until_all(trigger_id, "PROTECTED")
    (opened,) = wait_for("the entry in the chat", chat_says(strategy, "long position opened"))
    assert "Amount: 0.488 BTC" in opened
    assert "Stop: 19700 USDT" in opened
    (letter,) = wait_for("the entry by e-mail", lambda: letters(strategy, 1))
    assert letter["Subject"] == "Lockstep: BTC/USDT: long position opened"
    assert "0.695 BTC" in letter["BodyHtml"]
    # The user with a chat got only the e-mail about the link.
    subjects = [one["Subject"] for one in letters(strategy, 0)]
    assert subjects == ["Lockstep: Telegram is linked to your account"]

    stack.move_price("BTCUSDT", "19650")

    def closed_by_stop() -> bool:
        stack.watch()
        return {one["state"] for one in strategy.executions(trigger_id)} == {"CLOSED"}

    wait_for("both positions closed", closed_by_stop, timeout_s=120)
    (closed,) = wait_for("the close in the chat", chat_says(strategy, "long position closed"))
    assert "The stop closed it." in closed
    assert "Result after fees: -" in closed
    stack.move_price("BTCUSDT", "20000")

    before = chat_says(strategy, "")()
    assert before
    notices = client("dynamodb", stack.running.places).query(
        TableName=f"{STACK_NAME}-notices",
        IndexName="by_recipient",
        KeyConditionExpression="recipient = :user",
        ExpressionAttributeValues={":user": {"S": f"user#{user_of(strategy)['id']['S']}"}},
    )["Items"]
    records = [
        {"messageId": str(number), "receiptHandle": "x", "body": json.dumps({"notice_id": one["id"]["S"]})}
        for number, one in enumerate(notices)
    ]
    assert len(records) >= len(before)
    assert stack.invoke("NoticeSender", {"Records": records}) == {"batchItemFailures": []}
    assert chat_says(strategy, "")() == before


def test_refusal_is_notified_with_its_reason(stack: Stack, strategy: FollowedStrategy) -> None:
    stack.move_price("BTCUSDT", "20900")
    strategy.wait_until_all(strategy.fire(), "DENIED")
    (refused,) = wait_for("the refusal in the chat", chat_says(strategy, "position not opened"))
    assert "The market had moved too far from the alert's price." in refused
    stack.move_price("BTCUSDT", "20000")


def test_a_forged_secret_changes_nothing(stack: Stack, strategy: FollowedStrategy) -> None:
    update = {
        "update_id": 1,
        "message": {"chat": {"id": int(strategy.chat_id), "type": "private"}, "text": "/stop", "date": 1},
    }
    for headers in ({}, {"X-Telegram-Bot-Api-Secret-Token": "wrong"}):
        answer = stack.request("POST", stack.session["telegramWebhook"], headers, update)
        assert answer.status == 401
    assert user_of(strategy)["telegram_chat_id"]["S"] == strategy.chat_id


def test_invented_link_token_links_nothing(stack: Stack, strategy: FollowedStrategy) -> None:
    stranger = str(int(strategy.chat_id) + 1)
    assert write(stack.session["telegram"], stranger, "/start " + "A" * 63) == 200
    wait_for("the refusal", lambda: messages(stack.session["telegram"], stranger))
    (refused,) = messages(stack.session["telegram"], stranger)
    assert refused["text"].startswith("This link is not good")
    assert user_of(strategy)["telegram_chat_id"]["S"] == strategy.chat_id


def test_status_and_stop_answer_in_the_chat(stack: Stack, strategy: FollowedStrategy) -> None:
    telegram = stack.session["telegram"]
    assert write(telegram, strategy.chat_id, "/Status please") == 200
    wait_for("the status", chat_says(strategy, "This chat is told of entries"))
    # Neither a changed message nor another bot's stops anything; a voice message gets the help of any other.
    assert write(telegram, strategy.chat_id, "/stop", kind="edited_message") is None
    assert write(telegram, strategy.chat_id, "/stop", bot=True) == 200
    assert write(telegram, strategy.chat_id, "", content={"voice": {"duration": 1}}) == 200
    wait_for("the help", chat_says(strategy, "This bot knows /status"))
    assert "telegram_chat_id" in user_of(strategy)
    assert write(telegram, strategy.chat_id, "/STOP") == 200
    wait_for("the answer to /stop", chat_says(strategy, "Stopped"))
    assert "telegram_chat_id" not in user_of(strategy)
    wait_for(
        "the letter about it",
        lambda: [one for one in letters(strategy, 0) if "no longer" in one["Subject"]],
    )
