"""A right that a function lacks on the deployed stack is named, with the function."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from local.stack.deploy import client
from local.stack.places import STACK_NAME
from tests.system.rights import Rights
from tests.system.stack_client import Stack, wait_for


def physical_id(stack: Stack, logical_id: str) -> str:
    found = client("cloudformation", stack.running.places).describe_stack_resource(
        StackName=STACK_NAME, LogicalResourceId=logical_id
    )
    name: str = found["StackResourceDetail"]["PhysicalResourceId"]
    return name


@contextmanager
def role_without(stack: Stack, function: str, action: str) -> Iterator[None]:
    """Take an action from a function's role for a while."""
    iam, role = client("iam", stack.running.places), physical_id(stack, f"{function}Role")
    whole = iam.get_role_policy(RoleName=role, PolicyName="Rights")["PolicyDocument"]
    rest = json.loads(json.dumps(whole))
    for statement in rest["Statement"]:
        statement["Action"] = [one for one in statement["Action"] if one != action]
    rest["Statement"] = [statement for statement in rest["Statement"] if statement["Action"]]
    iam.put_role_policy(RoleName=role, PolicyName="Rights", PolicyDocument=json.dumps(rest))
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="Rights", PolicyDocument=json.dumps(whole))


@contextmanager
def key_without(stack: Stack, key: str, sid: str) -> Iterator[None]:
    """Take a statement from a key's policy for a while."""
    kms, key_id = client("kms", stack.running.places), physical_id(stack, key)
    whole = json.loads(kms.get_key_policy(KeyId=key_id, PolicyName="default")["Policy"])
    rest = whole | {"Statement": [one for one in whole["Statement"] if one["Sid"] != sid]}
    assert len(rest["Statement"]) == len(whole["Statement"]) - 1
    kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=json.dumps(rest))
    try:
        yield
    finally:
        kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=json.dumps(whole))


@pytest.mark.parametrize(
    ("missing", "path"),
    [
        (
            "AdminSettingNotificationExpressJSv1: dynamodb:GetItem on notification_settings",
            "/v1/admin/setting/notification",
        ),
        (
            "AdminSubscriptionExpressJSv1: dynamodb:Query on subscriptions/index/by_created",
            "/v1/admin/subscription/list",
        ),
    ],
)
def test_an_action_that_is_taken_away_is_told_with_its_function(
    stack: Stack, rights: Rights, missing: str, path: str
) -> None:
    function, action, *_ = missing.replace(": ", " ", 1).split()
    assert stack.get(path).status == 200
    with role_without(stack, function, action):
        assert stack.get(path).status == 500
    # What every test of the stack ends with.
    with pytest.raises(AssertionError, match=missing):
        rights.assert_none_denied()
    assert stack.get(path).status == 200


def test_a_consumer_that_may_not_take_messages_is_told_with_its_function(stack: Stack, rights: Rights) -> None:
    queue = stack.running.deployed.outputs["KeysQueueUrl"]
    message = {"api_key_id": f"unknown-{uuid4().hex}", "asked_at": "2026-01-01T00:00:00.000000Z"}
    with role_without(stack, "KeyInspector", "sqs:ReceiveMessage"):
        told = wait_for("a denial", rights.take_denials)
        client("sqs", stack.running.places).send_message(QueueUrl=queue, MessageBody=json.dumps(message))
    assert {str(one) for one in told} == {"KeyInspector: sqs:ReceiveMessage on keys"}
    rights.take_denials()


def test_a_secret_of_a_kind_is_sealed_only_by_whom_the_keys_policy_names(stack: Stack, rights: Rights) -> None:
    api_key, api_secret = uuid4().hex, uuid4().hex
    stack.paper("POST", "accounts", {"apiKey": api_key, "secret": api_secret, "balances": {"USDT": "10"}})
    body = {
        "name": f"RIGHTS {uuid4().hex[:8]}",
        "exchangeId": "BINANCE",
        "symbol": "BTC/USDT",
        "reportExchangeApiKey": api_key,
        "reportExchangeApiSecretKey": api_secret,
    }
    with key_without(stack, "SecretsKey", "SealReportKeys"):
        answer = stack.api("POST", "/v1/admin/setting/strategy", body=body)
    assert answer.status >= 500, answer.text
    told = {str(one) for one in rights.take_denials()}
    assert told == {"AdminSettingStrategyExpressJSv1: kms:Encrypt on SecretsKey report-key"}
