from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError

from shared import secrets
from tests.unit.in_process_aws import aws_client

NAME = "/test/vendor-key"


pytestmark = pytest.mark.usefixtures("moto")


def put(value: str) -> None:
    aws_client("ssm").put_parameter(Name=NAME, Type="SecureString", Value=value, Overwrite=True)


def test_secure_parameter_is_opened() -> None:
    put("the key")
    assert secrets.read_parameter(NAME) == "the key"


def test_parameter_is_cached_for_minutes_and_then_read_again() -> None:
    put("the key")
    secrets.read_parameter(NAME)
    until, _ = secrets._parameters[NAME]
    assert until > time.monotonic() + secrets.CACHE_TTL_S - 60
    put("the next key")
    assert secrets.read_parameter(NAME) == "the key"
    secrets._parameters[NAME] = (time.monotonic(), "the key")
    assert secrets.read_parameter(NAME) == "the next key"


def test_missing_parameter_is_not_cached() -> None:
    with pytest.raises(ClientError):
        secrets.read_parameter(NAME)
    put("the key")
    assert secrets.read_parameter(NAME) == "the key"
