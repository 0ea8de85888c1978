"""How the secrets of records from before their kind was part of the encryption context get it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.deployment import reseal as command
from local.deployment.preflight import resealed_parameter
from local.deployment.reseal import Outcome, reseal
from local.deployment.restored_tables import usual_names
from local.deployment.stages import read_stage
from local.stack.deploy import read_template
from shared import secrets
from shared.errors import SecretUnreadable
from shared.secrets import SecretKind
from tests.environment import environment
from tests.unit.in_process_aws import aws_client

STACK = "lockstep"
ALIAS = f"alias/{STACK}-secrets"
KINDS = {
    "exchange_keys": ("secret_ciphertext", SecretKind.EXCHANGE_KEY),
    "strategies": ("report_secret_ciphertext", SecretKind.REPORT_KEY),
}
TABLES = {"exchange_keys": f"{STACK}-exchange_keys-20261129T180000", "strategies": f"{STACK}-strategies"}
"""One table was restored: the stack has it under another name than the usual one."""


@pytest.fixture(autouse=True)
def deployed(moto: None) -> Iterator[None]:
    kms = aws_client("kms")
    kms.create_alias(AliasName=ALIAS, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    resources = {
        logical_id: {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": TABLES[name],
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            },
        }
        for logical_id, (name, _) in usual_names(read_template(), STACK).items()
        if name in KINDS
    }
    aws_client("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps({"Resources": resources}))
    with environment(SECRETS_KEY_ID=ALIAS):
        yield


def store(table: str, record_id: str, ciphertext: bytes) -> None:
    item = {"id": {"S": record_id}, KINDS[table][0]: {"B": ciphertext}, "other": {"S": "kept"}}
    aws_client("dynamodb").put_item(TableName=TABLES[table], Item=item)


def stored(table: str, record_id: str) -> dict[str, Any]:
    found = aws_client("dynamodb").get_item(TableName=TABLES[table], Key={"id": {"S": record_id}})
    item: dict[str, Any] = found["Item"]
    return item


def sealed_without_kind(secret: str, owner_id: str) -> bytes:
    answer = aws_client("kms").encrypt(KeyId=ALIAS, Plaintext=secret.encode(), EncryptionContext={"owner_id": owner_id})
    ciphertext: bytes = answer["CiphertextBlob"]
    return ciphertext


@pytest.mark.parametrize("table", sorted(KINDS))
def test_secret_without_a_kind_gets_that_of_its_table(table: str) -> None:
    attribute, kind = KINDS[table]
    store(table, "one", sealed_without_kind("the secret", "one"))
    assert reseal(STACK, aws_client) == Outcome(resealed=1)
    item = stored(table, "one")
    assert item["other"] == {"S": "kept"}
    assert secrets.unseal(item[attribute]["B"], kind=kind, owner_id="one") == "the secret"
    (other,) = set(SecretKind) - {kind}
    with pytest.raises(SecretUnreadable):
        secrets.unseal(item[attribute]["B"], kind=other, owner_id="one")


def test_second_run_changes_nothing() -> None:
    store("exchange_keys", "one", sealed_without_kind("the secret", "one"))
    reseal(STACK, aws_client)
    before = stored("exchange_keys", "one")
    assert reseal(STACK, aws_client) == Outcome(had_kind=1)
    assert stored("exchange_keys", "one") == before


def test_record_that_cannot_be_opened_is_named_and_kept() -> None:
    ciphertext = sealed_without_kind("the secret", "another")
    store("exchange_keys", "one", ciphertext)
    aws_client("dynamodb").put_item(TableName=f"{STACK}-strategies", Item={"id": {"S": "without a report key"}})
    assert reseal(STACK, aws_client) == Outcome(unreadable=["exchange_keys one"])
    assert stored("exchange_keys", "one")["secret_ciphertext"] == {"B": ciphertext}


def test_secret_that_its_owner_replaces_meanwhile_is_kept() -> None:
    store("exchange_keys", "one", sealed_without_kind("old", "one"))
    new = secrets.seal("new", kind=SecretKind.EXCHANGE_KEY, owner_id="one")

    def client(service: str) -> Any:
        return _Replacing(lambda: store("exchange_keys", "one", new)) if service == "kms" else aws_client(service)

    reseal(STACK, client)
    assert stored("exchange_keys", "one")["secret_ciphertext"] == {"B": new}


class _Replacing:
    """KMS, during whose work somebody replaces the record."""

    def __init__(self, replace: Callable[[], None]) -> None:
        self._replace = replace

    def re_encrypt(self, **request: Any) -> Any:
        answer = aws_client("kms").re_encrypt(**request)
        self._replace()
        return answer


def test_complete_run_leaves_its_time() -> None:
    store("strategies", "one", sealed_without_kind("the secret", "one"))
    reseal(STACK, aws_client)
    mark = aws_client("ssm").get_parameter(Name=resealed_parameter(STACK))["Parameter"]
    assert mark["Value"] == "1 resealed, 0 had their kind, 0 unreadable"


def test_run_during_a_deployment_is_refused_because_earlier_functions_still_seal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "open_account", lambda _: (read_stage("prod"), aws_client, "UPDATE_IN_PROGRESS"))
    ciphertext = sealed_without_kind("the secret", "one")
    store("exchange_keys", "one", ciphertext)
    assert command.main(["prod"]) == 1
    assert "lockstep is UPDATE_IN_PROGRESS" in capsys.readouterr().err
    assert stored("exchange_keys", "one")["secret_ciphertext"]["B"] == ciphertext


def test_other_refusals_of_kms_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    store("exchange_keys", "one", sealed_without_kind("the secret", "one"))

    def refuse(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "ReEncrypt")

    monkeypatch.setattr(aws_client("kms"), "re_encrypt", refuse)
    with pytest.raises(ClientError):
        reseal(STACK, aws_client)
