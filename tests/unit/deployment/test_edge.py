"""CloudFront in front of the webhooks: its template, its stack and its secret, without AWS."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from moto import mock_aws

from functions.stripe_webhook.app import _SIGNATURE as SIGNATURE_HEADER
from functions.telegram_webhook.app import SECRET_HEADER
from local.deployment import edge
from local.deployment.stages import Stage, read_stage
from local.stack.deploy import read_template
from shared.api import edge as checked

TEMPLATE = read_template("edge.yaml")
MAIN = read_template()
CONFIG: dict[str, Any] = TEMPLATE["Resources"]["Distribution"]["Properties"]["DistributionConfig"]

MAIN_STACK: dict[str, Any] = {
    "StackName": "lockstep",
    "Parameters": [
        {"ParameterKey": "Stage", "ParameterValue": "prod"},
        {"ParameterKey": "WebhookDomainName", "ParameterValue": "hooks.example.com"},
        {"ParameterKey": "WebhookCertificateArn", "ParameterValue": "arn:aws:acm:us-east-1:1:certificate/a"},
        {"ParameterKey": "HostedZoneId", "ParameterValue": ""},
        {"ParameterKey": "AlertSenders", "ParameterValue": "52.89.214.238/32,34.212.75.30/32"},
    ],
    "Outputs": [
        {"OutputKey": f"{name}FunctionUrl", "OutputValue": f"https://{name.lower()}.lambda-url.example.on.aws/"}
        for name in ("Strategy", "Stripe", "Telegram", "Unsubscribe")
    ],
}


def stage(**overrides: str) -> Stage:
    known = read_stage("prod")
    return Stage("prod", known.stack_name, known.region, {**known.overrides, **overrides})


@pytest.fixture
def ssm() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("ssm", region_name="ap-northeast-1")


def stored(ssm: Any) -> list[str]:
    value: str = ssm.get_parameter(Name="/lockstep/edge-secret", WithDecryption=True)["Parameter"]["Value"]
    return value.split()


def test_every_origin_is_reached_with_the_secret_that_the_functions_check() -> None:
    assert [one["Id"] for one in CONFIG["Origins"]] == ["strategy", "stripe", "telegram", "unsubscribe"]
    for origin in CONFIG["Origins"]:
        (header,) = origin["OriginCustomHeaders"]
        assert header["HeaderName"].lower() == checked.SECRET_HEADER
        assert header["HeaderValue"] == {"Ref": "EdgeSecret"}
        assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
        # A try to connect may not use up TradingView's three seconds.
        assert origin["ConnectionAttempts"] * origin["ConnectionTimeout"] < 3
    assert TEMPLATE["Parameters"]["EdgeSecret"]["NoEcho"] is True


def test_every_path_is_passed_on_uncached_with_its_body_and_the_viewers_address() -> None:
    behaviors = [CONFIG["DefaultCacheBehavior"], *CONFIG["CacheBehaviors"]]
    paths = ["/v1/webhook/stripe", "/v1/webhook/telegram", "/v1/unsubscribe"]
    assert [one.get("PathPattern") for one in behaviors] == [None, *paths]
    for behavior in behaviors:
        assert "POST" in behavior["AllowedMethods"]
        assert behavior["ViewerProtocolPolicy"] == "https-only"
        assert behavior["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
        assert behavior["OriginRequestPolicyId"] == {"Ref": "PassedOn"}


def test_no_refusal_is_kept_for_the_next_request() -> None:
    kept = {one["ErrorCode"]: one["ErrorCachingMinTTL"] for one in CONFIG["CustomErrorResponses"]}
    assert kept == dict.fromkeys((403, 404, 500, 503), 0)


def test_headers_that_the_functions_read_are_passed_on_and_host_is_not() -> None:
    policy = TEMPLATE["Resources"]["PassedOn"]["Properties"]["OriginRequestPolicyConfig"]
    assert policy["HeadersConfig"]["HeaderBehavior"] == "whitelist"
    passed_on = {name.lower() for name in policy["HeadersConfig"]["Headers"]}
    # A letter's link has its token there.
    assert policy["QueryStringsConfig"] == {"QueryStringBehavior": "all"}
    # A Function URL answers its own host name only. The secret header is the origin's, whatever a viewer sends.
    assert passed_on == {checked.VIEWER_HEADER, SIGNATURE_HEADER, SECRET_HEADER}


def test_alerts_come_by_ipv4_because_the_list_of_senders_is() -> None:
    assert CONFIG["IPV6Enabled"] is False
    assert TEMPLATE["Resources"]["AlertSenderAddresses"]["Properties"]["IPAddressVersion"] == "IPV4"


def test_firewall_lets_in_what_is_named_and_limits_no_alert() -> None:
    acl = TEMPLATE["Resources"]["Firewall"]["Properties"]
    assert (acl["Scope"], acl["DefaultAction"]) == ("CLOUDFRONT", {"Block": {}})
    rules = sorted(acl["Rules"], key=lambda one: int(one["Priority"]))
    assert [next(iter(one["Action"])) for one in rules] == ["Allow", "Block", "Allow"]
    path, senders = rules[0]["Statement"]["AndStatement"]["Statements"]
    assert path["ByteMatchStatement"]["SearchString"] == "/v1/webhook/strategy"
    assert senders["IPSetReferenceStatement"]["Arn"] == {"Fn::GetAtt": ["AlertSenderAddresses", "Arn"]}
    signed = rules[2]["Statement"]["OrStatement"]["Statements"]
    assert [one["ByteMatchStatement"]["SearchString"] for one in signed] == [
        "/v1/webhook/stripe",
        "/v1/webhook/telegram",
        "/v1/unsubscribe",
    ]
    assert "Body" not in json.dumps(acl)


def test_certificate_and_senders_mean_the_same_in_both_templates() -> None:
    ours, main = TEMPLATE["Parameters"], MAIN["Parameters"]
    shared = set(ours) & set(main)
    assert shared == {"WebhookDomainName", "WebhookCertificateArn", "HostedZoneId", "AlertSenders"}
    pattern = main["WebhookCertificateArn"]["AllowedPattern"]
    assert pattern.replace("(", "").replace(")?", "") == ours["WebhookCertificateArn"]["AllowedPattern"]
    assert set(ours) == shared | set(edge._HOSTS) | {"EdgeSecret"}
    assert set(edge._HOSTS.values()) <= set(MAIN["Outputs"])


def test_parameters_are_the_main_stacks_and_the_hosts_of_its_functions() -> None:
    values = edge.parameters_of(MAIN_STACK, secret="s" * 43)
    assert values == {
        "WebhookDomainName": "hooks.example.com",
        "WebhookCertificateArn": "arn:aws:acm:us-east-1:1:certificate/a",
        "HostedZoneId": "",
        "AlertSenders": "52.89.214.238/32,34.212.75.30/32",
        "StrategyHost": "strategy.lambda-url.example.on.aws",
        "StripeHost": "stripe.lambda-url.example.on.aws",
        "TelegramHost": "telegram.lambda-url.example.on.aws",
        "UnsubscribeHost": "unsubscribe.lambda-url.example.on.aws",
        "EdgeSecret": "s" * 43,
    }


def test_first_secret_is_made_once_and_kept_from_readers(ssm: Any) -> None:
    first = edge.ensure_secret(stage(), ssm)
    assert edge.ensure_secret(stage(), ssm) == first
    assert stored(ssm) == [first]
    assert len(first) >= TEMPLATE["Parameters"]["EdgeSecret"]["MinLength"]
    (described,) = ssm.describe_parameters()["Parameters"]
    assert described["Type"] == "SecureString"


def test_rotation_keeps_the_present_secret_beside_the_new_one(ssm: Any) -> None:
    first = edge.ensure_secret(stage(), ssm)
    second = edge.rotate_secret(stage(), ssm)
    assert stored(ssm) == [second, first]
    assert edge.ensure_secret(stage(), ssm) == second


@contextmanager
def stubbed_cloudformation(*answers: tuple[str, Any, Any]) -> Iterator[Any]:
    client = boto3.client(
        "cloudformation", region_name="us-east-1", aws_access_key_id="id", aws_secret_access_key="secret"
    )
    with Stubber(client) as stub:
        for operation, answer, expected in answers:
            match answer:
                case str(message):
                    stub.add_client_error(operation, "ValidationError", message, expected_params=expected)
                case _:
                    stub.add_response(operation, answer, expected)
        yield client
        stub.assert_no_pending_responses()


def described(status: str) -> dict[str, Any]:
    return {
        "Stacks": [
            {
                "StackName": "lockstep-edge",
                "CreationTime": "2026-01-01T00:00:00Z",
                "StackStatus": status,
                "Outputs": [{"OutputKey": "DistributionDomainName", "OutputValue": "d1.cloudfront.net"}],
            }
        ]
    }


def deploy(ssm: Any, cloudformation: Any) -> int:
    class Main:
        def describe_stacks(self, **_: str) -> dict[str, Any]:
            return {"Stacks": [MAIN_STACK]}

    clients = {"ssm": ssm, "cloudformation": Main()}
    return edge.deploy_edge(stage(), clients.__getitem__, {"cloudformation": cloudformation}.__getitem__)


NAMED = {"StackName": "lockstep-edge"}
CHANGE = {**NAMED, "TemplateBody": ANY, "Parameters": ANY}


def test_first_deployment_makes_the_stack_and_says_where_the_name_has_to_lead(
    ssm: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with stubbed_cloudformation(
        ("describe_stacks", "Stack with id lockstep-edge does not exist", NAMED),
        ("create_stack", {"StackId": "id"}, CHANGE),
        ("describe_stacks", described("CREATE_COMPLETE"), NAMED),
        ("describe_stacks", described("CREATE_COMPLETE"), NAMED),
    ) as cloudformation:
        assert deploy(ssm, cloudformation) == 0
    told = capsys.readouterr().out
    assert "https://hooks.example.com/v1/webhook/strategy" in told
    assert "d1.cloudfront.net" in told
    assert stored(ssm)[0] not in told


def test_later_deployment_with_nothing_new_is_done(ssm: Any) -> None:
    with stubbed_cloudformation(
        ("describe_stacks", described("CREATE_COMPLETE"), NAMED),
        ("update_stack", "No updates are to be performed.", CHANGE),
        ("describe_stacks", described("CREATE_COMPLETE"), NAMED),
    ) as cloudformation:
        assert deploy(ssm, cloudformation) == 0


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"])
def test_stack_that_was_never_made_is_deleted_and_made_again(ssm: Any, status: str) -> None:
    with stubbed_cloudformation(
        ("describe_stacks", described(status), NAMED),
        ("delete_stack", {}, NAMED),
        ("describe_stacks", "Stack with id lockstep-edge does not exist", NAMED),
        ("create_stack", {"StackId": "id"}, CHANGE),
        ("describe_stacks", described("CREATE_COMPLETE"), NAMED),
        ("describe_stacks", described("CREATE_COMPLETE"), NAMED),
    ) as cloudformation:
        assert deploy(ssm, cloudformation) == 0


def test_stack_that_fails_fails_the_deployment(ssm: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with stubbed_cloudformation(
        ("describe_stacks", described("CREATE_COMPLETE"), NAMED),
        ("update_stack", {"StackId": "id"}, CHANGE),
        ("describe_stacks", described("UPDATE_ROLLBACK_COMPLETE"), NAMED),
    ) as cloudformation:
        assert deploy(ssm, cloudformation) == 1
    assert "lockstep-edge" in capsys.readouterr().err


def test_rotation_that_is_repeated_keeps_what_cloudfront_still_sends_until_it_sends_the_new_one(ssm: Any) -> None:
    sent = edge.ensure_secret(stage(), ssm)
    for _ in range(3):
        edge.rotate_secret(stage(), ssm)
        with stubbed_cloudformation(
            ("describe_stacks", described("UPDATE_COMPLETE"), NAMED),
            ("update_stack", {"StackId": "id"}, CHANGE),
            ("describe_stacks", described("UPDATE_ROLLBACK_COMPLETE"), NAMED),
        ) as cloudformation:
            assert deploy(ssm, cloudformation) == 1
        assert sent in stored(ssm)
    present, before = stored(ssm)[:2]
    with stubbed_cloudformation(
        ("describe_stacks", described("UPDATE_ROLLBACK_COMPLETE"), NAMED),
        ("update_stack", {"StackId": "id"}, CHANGE),
        ("describe_stacks", described("UPDATE_COMPLETE"), NAMED),
        ("describe_stacks", described("UPDATE_COMPLETE"), NAMED),
    ) as cloudformation:
        assert deploy(ssm, cloudformation) == 0
    assert stored(ssm) == [present, before]


def test_stage_without_a_domain_for_webhooks_has_no_distribution() -> None:
    assert not edge.has_edge(stage())
    assert edge.has_edge(stage(WebhookDomainName="hooks.example.com"))


def test_operators_own_alert_passes_the_functions_checks(ssm: Any, settings_from: Callable[..., None]) -> None:
    edge.ensure_secret(stage(), ssm)
    headers = edge.headers_as_edge(stage(), ssm)
    settings_from(EDGE_SECRET_PARAMETER="/lockstep/edge-secret", AWS_REGION="ap-northeast-1")
    assert not checked.is_direct_call({"headers": headers})
    assert checked.is_known_sender({"headers": headers}, stage().parameter("AlertSenders").split(","))


def test_operators_are_shut_out_by_the_firewall_or_by_the_function() -> None:
    assert not edge.is_closed_to_operators(stage())
    assert edge.is_closed_to_operators(stage(WebhookDomainName="hooks.example.com"))
    assert edge.is_closed_to_operators(stage(DirectWebhookCalls="refused"))
