"""Who may use the embedded AWS: programs and pages of this machine that have the run's key."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from local.stack import embedded_aws
from local.stack.deploy import client
from local.stack.places import REGION, AwsKey, Places, Ports

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture(scope="module")
def places() -> Iterator[Places]:
    places = Places(Ports.reserve_free())
    process = embedded_aws.start(places)
    try:
        embedded_aws.wait(process, places)
        yield places
    finally:
        process.stop()


def status(places: Places, method: str, path: str, body: str | None = None, **headers: str) -> int:
    """Send a request without a signature, and return the answer's status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else body.encode()
    request = urllib.request.Request(places.aws_url + path, data=data, headers=named, method=method)  # noqa: S310
    try:
        with _OPENER.open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def buckets(places: Places, key: AwsKey) -> list[str]:
    listed = client("s3", replace(places, aws_key=key)).list_buckets()["Buckets"]
    return [bucket["Name"] for bucket in listed]


def error_of(places: Places, service: str, key: AwsKey, operation: str, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        getattr(client(service, replace(places, aws_key=key)), operation)(**arguments)
    code: str = caught.value.response["Error"]["Code"]
    return code


def test_each_run_has_a_key_of_its_own() -> None:
    ports = Ports(23456)
    one, two = Places(ports), Places(ports)
    assert one.aws_key.id != two.aws_key.id
    assert one.aws_key.secret != two.aws_key.secret
    assert one.aws_key.secret not in repr(one)


def test_the_runs_key_may_do_everything(places: Places) -> None:
    client("s3", places).create_bucket(Bucket="mine")
    assert buckets(places, places.aws_key) == ["mine"]
    client("s3", places).put_object(Bucket="mine", Key="a file", Body=b"content")
    assert client("s3", places).get_object(Bucket="mine", Key="a file")["Body"].read() == b"content"
    assert client("lambda", places).list_functions()["Functions"] == []
    assert client("sts", places).get_caller_identity()["Arn"].endswith(":root")


@pytest.mark.parametrize("key_id", ["test", "000000000000", "111111111111", "AKIAAAAAAAAAAAAAAAAA"])
@pytest.mark.parametrize(
    ("service", "operation"),
    [("lambda", "list_functions"), ("s3", "list_buckets"), ("sqs", "list_queues"), ("dynamodb", "list_tables")],
)
def test_another_key_may_do_nothing(places: Places, key_id: str, service: str, operation: str) -> None:
    key = AwsKey(key_id, places.aws_key.secret)
    assert error_of(places, service, key, operation) in {"AccessDeniedException", "403"}


@pytest.mark.parametrize(
    ("service", "operation"),
    [("lambda", "list_functions"), ("s3", "list_buckets"), ("sqs", "list_queues"), ("dynamodb", "list_tables")],
)
def test_the_runs_key_with_another_secret_may_do_nothing(places: Places, service: str, operation: str) -> None:
    key = AwsKey(places.aws_key.id, "guessed")
    assert "Signature" in error_of(places, service, key, operation)


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {}),
        ("PUT", "/a-bucket", {}),
        ("PUT", "/a-bucket", {"Authorization": "anything"}),
        ("POST", "/", {"X_Amz_Target": "DynamoDB_20120810.ListTables"}),
        ("POST", "/", {"X_Amz_Target": "DynamoDB_20120810.ListTables", "Authorization": "anything"}),
        ("POST", "/", {"X_Amz_Target": "AWSCognitoIdentityProviderService.ListUserPools"}),
        ("POST", "/?Action=ListQueues", {"X_Amz_Target": "AWSCognitoIdentityProviderService.InitiateAuth"}),
        ("GET", "/2015-03-31/functions/", {}),
        ("POST", "/2015-03-31/functions/any/invocations", {}),
        ("GET", "/_ministack/lambda-code/any", {}),
        ("GET", "/_ministack/sqs/messages", {}),
        ("POST", "/_ministack/reset", {}),
        ("POST", "/_ministack/config", {}),
        ("POST", "/_ministack/health", {}),
        ("GET", "/_aws/execute-api", {}),
        ("GET", "/_aws/other", {}),
        ("GET", "/a-bucket/.well-known/another", {}),
    ],
)
def test_a_request_without_a_signature_is_refused(
    places: Places, method: str, path: str, headers: dict[str, str]
) -> None:
    assert status(places, method, path, "{}" if method == "POST" else None, **headers) == 403


def test_health_and_sent_letters_are_readable_on_this_machine(places: Places) -> None:
    for path in ("/_ministack/health", "/_ministack/ses/messages"):
        assert status(places, "GET", path) == 200
        assert status(places, "GET", path, Origin="http://localhost:3000") == 200
        assert status(places, "GET", path, Origin="https://evil.example.com") == 403
        assert status(places, "GET", path, Host="evil.example.com") == 403


def test_a_foreign_page_is_refused_even_with_the_runs_key(places: Places) -> None:
    sqs = boto3.session.Session().client(
        "sqs",
        endpoint_url=places.aws_url,
        region_name=REGION,
        aws_access_key_id=places.aws_key.id,
        aws_secret_access_key=places.aws_key.secret,
        config=Config(proxies={}),
    )
    assert sqs.list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
    for name, value in (("Origin", "https://evil.example.com"), ("Host", "evil.example.com")):

        def foreign(request: Any, *, name: str = name, value: str = value, **_: Any) -> None:
            request.headers[name] = value

        sqs.meta.events.register("before-sign", foreign, unique_id="foreign")
        with pytest.raises(ClientError) as caught:
            sqs.list_queues()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        sqs.meta.events.unregister("before-sign", foreign, unique_id="foreign")


def test_a_preflight_of_a_foreign_page_is_refused(places: Places) -> None:
    assert status(places, "OPTIONS", "/", Origin="https://evil.example.com") == 403
    assert status(places, "OPTIONS", "/", Origin="http://127.0.0.1:5173") == 200


def test_people_sign_in_without_a_key(places: Places) -> None:
    owner = client("cognito-idp", places)
    pool = owner.create_user_pool(PoolName="people")["UserPool"]["Id"]
    app = owner.create_user_pool_client(
        UserPoolId=pool, ClientName="page", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    )["UserPoolClient"]["ClientId"]
    owner.admin_create_user(UserPoolId=pool, Username="a@example.com", MessageAction="SUPPRESS")
    owner.admin_set_user_password(UserPoolId=pool, Username="a@example.com", Password="Passw0rd!", Permanent=True)
    anybody = boto3.session.Session().client(
        "cognito-idp",
        endpoint_url=places.aws_url,
        region_name=REGION,
        config=Config(signature_version=UNSIGNED, proxies={}),
    )
    signed_in = anybody.initiate_auth(
        ClientId=app,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "a@example.com", "PASSWORD": "Passw0rd!"},
    )
    assert signed_in["AuthenticationResult"]["IdToken"]
    # The gateway's authorizer reads the keys over HTTP too.
    assert status(places, "GET", f"/{pool}/.well-known/jwks.json") == 200


def test_what_is_public_on_aws_answers_everybody_by_this_machines_name(places: Places) -> None:
    for path in ("/_aws/execute-api/unknown/live/", "/_aws/lambda-url/unknown/"):
        found = status(places, "POST", path, json.dumps({}), Origin="https://admin.example.com")
        assert found == 404, "the gateway itself answers"
        assert status(places, "POST", path, json.dumps({}), Host="evil.example.com") == 403
