"""The facts about the embedded AWS that the product and its tests rely on. A failure here is the embedded AWS's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local.stack import embedded_aws
from local.stack.deploy import client
from local.stack.places import Places, Ports


@pytest.fixture(scope="module")
def places() -> Iterator[Places]:
    places = Places(Ports.reserve_free())
    process = embedded_aws.start(places)
    try:
        embedded_aws.wait(process, places)
        yield places
    finally:
        process.stop()


@pytest.fixture(scope="module")
def dynamodb(places: Places) -> Any:
    dynamodb = client("dynamodb", places)
    dynamodb.create_table(
        TableName="facts",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    return dynamodb


@pytest.fixture
def fifo(places: Places) -> tuple[Any, str]:
    sqs = client("sqs", places)
    attributes = {
        "FifoQueue": "true",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
        "VisibilityTimeout": "60",
    }
    return sqs, sqs.create_queue(QueueName=f"facts-{uuid4().hex}.fifo", Attributes=attributes)["QueueUrl"]


def receive(sqs: Any, url: str) -> list[str]:
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
    return [message["Body"] for message in answer.get("Messages", [])]


def test_of_many_conditional_puts_one_wins(dynamodb: Any) -> None:
    key = uuid4().hex

    def put(number: int) -> bool:
        try:
            dynamodb.put_item(
                TableName="facts",
                Item={"id": {"S": key}, "winner": {"N": str(number)}},
                ConditionExpression="attribute_not_exists(id)",
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(put, range(40))) == 1


def test_transaction_with_a_failed_condition_writes_nothing_and_says_which(dynamodb: Any) -> None:
    taken, free = uuid4().hex, uuid4().hex
    dynamodb.put_item(TableName="facts", Item={"id": {"S": taken}})
    puts = [
        {"Put": {"TableName": "facts", "Item": {"id": {"S": key}}, "ConditionExpression": "attribute_not_exists(id)"}}
        for key in (free, taken)
    ]
    with pytest.raises(ClientError) as caught:
        dynamodb.transact_write_items(TransactItems=puts)
    reasons = [reason["Code"] for reason in caught.value.response["CancellationReasons"]]
    assert reasons == ["None", "ConditionalCheckFailed"]
    assert "Item" not in dynamodb.get_item(TableName="facts", Key={"id": {"S": free}}, ConsistentRead=True)


def test_counters_lose_no_update_under_threads(dynamodb: Any) -> None:
    key = {"id": {"S": uuid4().hex}}

    def add(_: int) -> None:
        dynamodb.update_item(
            TableName="facts",
            Key=key,
            UpdateExpression="ADD hits :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(100)))
    assert dynamodb.get_item(TableName="facts", Key=key, ConsistentRead=True)["Item"]["hits"] == {"N": "100"}


def test_a_group_in_flight_is_blocked_and_others_are_not(fifo: tuple[Any, str]) -> None:
    sqs, url = fifo
    for body, group in (("a1", "a"), ("b1", "b")):
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=body)
    assert receive(sqs, url) == ["a1", "b1"]
    for body, group in (("a2", "a"), ("c1", "c")):
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=body)
    assert receive(sqs, url) == ["c1"]


def test_a_repeat_is_dropped_within_its_group_only(fifo: tuple[Any, str]) -> None:
    sqs, url = fifo
    for group in ("a", "a", "b"):
        sqs.send_message(QueueUrl=url, MessageBody=group, MessageGroupId=group, MessageDeduplicationId="same")
    assert receive(sqs, url) == ["a", "b"]


def test_a_delayed_message_comes_late(places: Places) -> None:
    sqs = client("sqs", places)
    url = sqs.create_queue(QueueName=f"facts-{uuid4().hex}")["QueueUrl"]
    sent_at = time.monotonic()
    sqs.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=1)
    assert receive(sqs, url) == []
    bodies: list[str] = []
    while not bodies and time.monotonic() < sent_at + 10:
        bodies = receive(sqs, url)
    assert bodies == ["late"]
    assert time.monotonic() - sent_at >= 0.9


def test_a_secret_opens_under_its_own_context_only(places: Places) -> None:
    kms = client("kms", places)
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key_id, Plaintext=b"secret", EncryptionContext={"owner_id": "a"})["CiphertextBlob"]
    opened = kms.decrypt(KeyId=key_id, CiphertextBlob=sealed, EncryptionContext={"owner_id": "a"})
    assert opened["Plaintext"] == b"secret"
    with pytest.raises(ClientError) as caught:
        kms.decrypt(KeyId=key_id, CiphertextBlob=sealed, EncryptionContext={"owner_id": "b"})
    assert caught.value.response["Error"]["Code"] == "InvalidCiphertextException"


def test_a_parameter_changes_at_once(places: Places) -> None:
    ssm = client("ssm", places)
    for value in ("off", "on"):
        ssm.put_parameter(Name="/facts/switch", Value=value, Type="String", Overwrite=True)
        assert ssm.get_parameter(Name="/facts/switch")["Parameter"]["Value"] == value


def test_data_is_kept_over_a_restart_with_another_key(tmp_path: Path) -> None:
    ports = Ports.reserve_free()
    for run in ("first", "second"):
        places = Places(ports, state=tmp_path)
        process = embedded_aws.start(places)
        try:
            embedded_aws.wait(process, places)
            dynamodb, sqs = client("dynamodb", places), client("sqs", places)
            if run == "first":
                dynamodb.create_table(
                    TableName="kept",
                    BillingMode="PAY_PER_REQUEST",
                    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                )
                dynamodb.put_item(TableName="kept", Item={"id": {"S": "a position"}})
                queue = sqs.create_queue(QueueName="kept")["QueueUrl"]
                sqs.send_message(QueueUrl=queue, MessageBody="on its way")
            else:
                found = dynamodb.get_item(TableName="kept", Key={"id": {"S": "a position"}}, ConsistentRead=True)
                assert "Item" in found
                assert receive(sqs, sqs.get_queue_url(QueueName="kept")["QueueUrl"]) == ["on its way"]
        finally:
            process.stop()


def test_it_listens_on_this_machine_only(places: Places) -> None:
    listening = {
        line.split()[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in _lines(table)
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{places.ports.aws:04X}")
    }
    assert listening == {f"0100007F:{places.ports.aws:04X}"}


def _lines(path: str) -> list[str]:
    with open(path, encoding="ascii") as table:
        return table.read().splitlines()[1:]
