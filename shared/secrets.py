"""Seals and opens exchange keys' secrets with KMS, reads vendors' secrets from SSM parameters, and derives keys.

Opened secrets are cached in memory for minutes.
"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from shared.aws_session import aws_session
from shared.config import settings
from shared.errors import SecretUnreadable, ServiceUnavailable
from shared.process_state import on_reset, process_cache

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_ssm import SSMClient

_INVALID_CIPHERTEXT: Final = "InvalidCiphertextException"


class SecretKind(StrEnum):
    """What a sealed secret belongs to. Part of its encryption context: a role may open some kinds only."""

    EXCHANGE_KEY = "exchange-key"
    REPORT_KEY = "report-key"


CACHE_TTL_S = 300.0
"""How long an opened secret stays in memory; a revoked grant takes effect within this time."""

_LASTING_CODES: Final = frozenset(
    {
        "AccessDeniedException",
        "DisabledException",
        "IncorrectKeyException",
        _INVALID_CIPHERTEXT,
        "InvalidKeyUsageException",
        "KMSInvalidStateException",
        "NotFoundException",
        "ValidationException",
    }
)
"""KMS's refusals that stay until somebody acts; its other ones (throttling, internal faults) pass."""

_opened: dict[tuple[SecretKind, str, bytes], tuple[float, str]] = {}
_parameters: dict[str, tuple[float, str]] = {}
on_reset(_opened.clear)
on_reset(_parameters.clear)


@process_cache
def _kms() -> KMSClient:
    config = Config(connect_timeout=1, read_timeout=3, retries={"max_attempts": 3, "mode": "standard"})
    return aws_session().client("kms", region_name=settings().aws_region, config=config)


@process_cache
def _ssm() -> SSMClient:
    config = Config(connect_timeout=1, read_timeout=3, retries={"max_attempts": 3, "mode": "standard"})
    return aws_session().client("ssm", region_name=settings().aws_region, config=config)


def connect() -> None:
    """Create the process's KMS client now rather than with the first secret."""
    _kms()


def seal(secret: str, *, kind: SecretKind, owner_id: str) -> bytes:
    """Return the secret's ciphertext, bound to its kind and its owner's id by its encryption context."""
    answer = _kms().encrypt(
        KeyId=settings().secrets_key_id,
        Plaintext=secret.encode(),
        EncryptionContext=encryption_context(kind=kind, owner_id=owner_id),
    )
    return answer["CiphertextBlob"]


def encryption_context(*, kind: SecretKind, owner_id: str) -> dict[str, str]:
    """Return the encryption context of a sealed secret."""
    return {"kind": kind.value, "owner_id": owner_id}


def unseal(ciphertext: bytes, *, kind: SecretKind, owner_id: str) -> str:
    """Return the secret.

    Raise SecretUnreadable for a ciphertext that is damaged, or of another owner or kind, or whose KMS key refuses;
    raise ServiceUnavailable if KMS cannot be reached now.
    """
    found = _opened.get((kind, owner_id, ciphertext))
    now = time.monotonic()
    if found is not None and found[0] > now:
        return found[1]
    try:
        secret = _decrypted(ciphertext, kind=kind, owner_id=owner_id).decode()
    except (ParamValidationError, UnicodeDecodeError) as error:
        raise SecretUnreadable("the stored secret is damaged") from error
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _LASTING_CODES:
            raise SecretUnreadable(f"KMS refuses the stored secret: {code}") from error
        raise ServiceUnavailable(f"KMS cannot open a secret now: {code}") from error
    except BotoCoreError as error:
        raise ServiceUnavailable("KMS cannot be reached") from error
    _opened[kind, owner_id, ciphertext] = (now + CACHE_TTL_S, secret)
    return secret


def _decrypted(ciphertext: bytes, *, kind: SecretKind, owner_id: str) -> bytes:
    """Return what KMS opens: with the kind, and without it where the stack still has secrets that carry none."""
    key_id, context = settings().secrets_key_id, encryption_context(kind=kind, owner_id=owner_id)
    try:
        return _kms().decrypt(KeyId=key_id, CiphertextBlob=ciphertext, EncryptionContext=context)["Plaintext"]
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code != _INVALID_CIPHERTEXT or not settings().secrets_without_kind:
            raise
    del context["kind"]
    return _kms().decrypt(KeyId=key_id, CiphertextBlob=ciphertext, EncryptionContext=context)["Plaintext"]


def read_parameter(name: str) -> str:
    """Return the secret in an SSM parameter (a SecureString on AWS); raise botocore's errors."""
    found = _parameters.get(name)
    now = time.monotonic()
    if found is not None and found[0] > now:
        return found[1]
    secret = _ssm().get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    _parameters[name] = (now + CACHE_TTL_S, secret)
    return secret


def derive_key(purpose: str, *, key_id: str) -> bytes:
    """Return 32 bytes, always the same for a purpose, that only holders of this KMS key (HMAC_256) can derive."""
    answer = _kms().generate_mac(KeyId=key_id, MacAlgorithm="HMAC_SHA_256", Message=purpose.encode())
    return answer["Mac"]
