"""Gives the secrets of a deployed stack that carry no kind theirs: `make reseal STAGE=prod`. No secret leaves KMS."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from local.deployment.command import exit_status_of
from local.deployment.preflight import Client, open_account, resealed_parameter
from local.deployment.restored_tables import read_restored
from local.stack.deploy import read_template
from shared.secrets import SecretKind, encryption_context

_SEALED = (
    ("exchange_keys", "secret_ciphertext", SecretKind.EXCHANGE_KEY),
    ("strategies", "report_secret_ciphertext", SecretKind.REPORT_KEY),
)
"""The tables that hold secrets, with the attribute and the kind of each."""


TABLES_WITH_SECRETS = frozenset(name for name, _, _ in _SEALED)
"""The nouns of those tables."""


@dataclass(slots=True)
class Outcome:
    """What became of a stack's secrets."""

    resealed: int = 0
    had_kind: int = 0
    unreadable: list[str] = field(default_factory=list)
    """Table and id of the records whose secret is damaged, or was sealed for another record."""


def reseal(stack_name: str, client: Client) -> Outcome:
    """Give every secret of a stack its kind, and store that this was done to the end; raise botocore's errors.

    A second run changes no secret.
    """
    outcome = Outcome()
    key_id, kms, dynamodb = f"alias/{stack_name}-secrets", client("kms"), client("dynamodb")
    restored = read_restored(read_template(), stack_name, client("cloudformation"))
    for name, attribute, kind in _SEALED:
        table = restored.get(name, f"{stack_name}-{name}")
        for record_id, ciphertext in _sealed_in(dynamodb, table, attribute):
            context = encryption_context(kind=kind, owner_id=record_id)
            if (changed := _reencrypted(kms, key_id, ciphertext, {"owner_id": record_id}, context)) is not None:
                _replace(dynamodb, table, record_id, attribute, old=ciphertext, new=changed)
                outcome.resealed += 1
            elif _reencrypted(kms, key_id, ciphertext, context, context) is not None:
                outcome.had_kind += 1
            else:
                outcome.unreadable.append(f"{name} {record_id}")
    # Its time tells `make preflight` that roles need not open secrets without a kind any more.
    done = f"{outcome.resealed} resealed, {outcome.had_kind} had their kind, {len(outcome.unreadable)} unreadable"
    client("ssm").put_parameter(Name=resealed_parameter(stack_name), Type="String", Value=done, Overwrite=True)
    return outcome


def _sealed_in(dynamodb: Any, table: str, attribute: str) -> Iterator[tuple[str, bytes]]:
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table, ProjectionExpression=f"id, {attribute}", ConsistentRead=True
    )
    for page in pages:
        for item in page["Items"]:
            if attribute in item:
                yield item["id"]["S"], item[attribute]["B"]


def _reencrypted(kms: Any, key_id: str, ciphertext: bytes, old: dict[str, str], new: dict[str, str]) -> bytes | None:
    """Return the ciphertext under the new encryption context, or None if it does not open under the old one."""
    try:
        answer = kms.re_encrypt(
            CiphertextBlob=ciphertext,
            SourceKeyId=key_id,
            SourceEncryptionContext=old,
            DestinationKeyId=key_id,
            DestinationEncryptionContext=new,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidCiphertextException":
            return None
        raise
    found: bytes = answer["CiphertextBlob"]
    return found


def _replace(dynamodb: Any, table: str, record_id: str, attribute: str, *, old: bytes, new: bytes) -> None:
    # Its owner may have replaced or deleted it meanwhile: what the functions seal has its kind.
    with contextlib.suppress(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.update_item(
            TableName=table,
            Key={"id": {"S": record_id}},
            UpdateExpression="SET #secret = :new",
            ConditionExpression="#secret = :old",
            ExpressionAttributeNames={"#secret": attribute},
            ExpressionAttributeValues={":old": {"B": old}, ":new": {"B": new}},
        )


def main(arguments: list[str]) -> int:
    """Reseal the secrets of the stage that is named and return the exit status."""
    return exit_status_of(lambda: _reseal_stage(arguments))


def _reseal_stage(arguments: list[str]) -> int:
    stage, client, status = open_account(arguments)
    if status is None or not status.endswith("_COMPLETE"):
        # Earlier versions of the functions, which may still be called, seal without a kind.
        print(f"{stage.stack_name} is {status or 'not there'}: run this when it is deployed", file=sys.stderr)
        return 1
    try:
        outcome = reseal(stage.stack_name, client)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        print(f"AWS refuses: deploy with SecretsWithoutKind=true first ({error})", file=sys.stderr)
        return 1
    print(f"{outcome.resealed} secrets have their kind now, {outcome.had_kind} had it before")
    for record in outcome.unreadable:
        print(f"cannot be opened, with a kind or without: {record}")
    return 1 if outcome.unreadable else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
