"""Which failures of KMS last, and which pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from botocore.stub import ANY, Stubber

from shared import secrets
from shared.config import settings
from shared.errors import SecretUnreadable, ServiceUnavailable
from shared.secrets import SecretKind
from tests.environment import environment
from tests.unit.in_process_aws import aws_client

KEY = SecretKind.EXCHANGE_KEY


@pytest.fixture(autouse=True)
def key(moto: object) -> Iterator[None]:
    with environment(SECRETS_KEY_ID=aws_client("kms").create_key()["KeyMetadata"]["KeyId"]):
        yield


def opened_with(answer: Any) -> str:
    """Return what a sealed secret opens to while KMS answers with an error code, or raises."""
    kms = secrets._kms()
    with Stubber(kms) as stub:
        if isinstance(answer, str):
            stub.add_client_error("decrypt", service_error_code=answer)
        else:
            stub.add_response("decrypt", answer, {"KeyId": ANY, "CiphertextBlob": ANY, "EncryptionContext": ANY})
        return secrets.unseal(b"a ciphertext", kind=KEY, owner_id="me")


def test_secret_opens_for_its_owner_alone() -> None:
    ciphertext = secrets.seal("the secret", kind=KEY, owner_id="me")
    assert secrets.unseal(ciphertext, kind=KEY, owner_id="me") == "the secret"
    with pytest.raises(SecretUnreadable):
        secrets.unseal(ciphertext, kind=KEY, owner_id="another")


def test_secret_of_one_kind_opens_as_no_other() -> None:
    ciphertext = secrets.seal("the secret", kind=SecretKind.REPORT_KEY, owner_id="me")
    for without in ("false", "true"):
        with environment(SECRETS_WITHOUT_KIND=without), pytest.raises(SecretUnreadable):
            secrets.unseal(ciphertext, kind=KEY, owner_id="me")


def test_secret_that_is_remembered_as_one_kind_opens_as_no_other() -> None:
    ciphertext = secrets.seal("the secret", kind=KEY, owner_id="me")
    assert secrets.unseal(ciphertext, kind=KEY, owner_id="me") == "the secret"
    with pytest.raises(SecretUnreadable):
        secrets.unseal(ciphertext, kind=SecretKind.REPORT_KEY, owner_id="me")


def sealed_without_kind(secret: str) -> bytes:
    """Return a ciphertext from before the kind was part of the encryption context."""
    answer = aws_client("kms").encrypt(
        KeyId=settings().secrets_key_id, Plaintext=secret.encode(), EncryptionContext={"owner_id": "me"}
    )
    ciphertext: bytes = answer["CiphertextBlob"]
    return ciphertext


def test_secret_without_a_kind_opens_only_where_the_stack_says_that_there_are_some() -> None:
    ciphertext = sealed_without_kind("the secret")
    with pytest.raises(SecretUnreadable):
        secrets.unseal(ciphertext, kind=KEY, owner_id="me")
    with environment(SECRETS_WITHOUT_KIND="true"):
        assert secrets.unseal(ciphertext, kind=KEY, owner_id="me") == "the secret"
        with pytest.raises(SecretUnreadable):
            secrets.unseal(ciphertext, kind=KEY, owner_id="another")


@pytest.mark.parametrize("damaged", [b"", b"\x00garbage", None])
def test_damaged_record_is_unreadable(damaged: Any) -> None:
    with pytest.raises(SecretUnreadable):
        secrets.unseal(damaged, kind=KEY, owner_id="me")


@pytest.mark.parametrize(
    "code",
    ["AccessDeniedException", "DisabledException", "InvalidCiphertextException", "NotFoundException"],
)
def test_refusal_that_an_operator_must_mend_is_lasting(code: str) -> None:
    with pytest.raises(SecretUnreadable, match=code):
        opened_with(code)


def test_secret_that_is_no_text_is_unreadable() -> None:
    with pytest.raises(SecretUnreadable):
        opened_with({"Plaintext": b"\xff\xfe"})


@pytest.mark.parametrize("code", ["ThrottlingException", "KMSInternalException", "DependencyTimeoutException", "New"])
def test_other_refusal_passes(code: str) -> None:
    with pytest.raises(ServiceUnavailable, match=code):
        opened_with(code)


@pytest.mark.parametrize(
    "error", [EndpointConnectionError(endpoint_url="kms"), ReadTimeoutError(endpoint_url="kms")], ids=repr
)
def test_kms_out_of_reach_passes(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(**_: Any) -> Any:
        raise error

    monkeypatch.setattr(secrets._kms(), "decrypt", fail)
    with pytest.raises(ServiceUnavailable):
        secrets.unseal(b"a ciphertext", kind=KEY, owner_id="me")


def test_failure_is_not_remembered() -> None:
    with pytest.raises(ServiceUnavailable):
        opened_with("ThrottlingException")
    assert opened_with({"Plaintext": b"the secret"}) == "the secret"
