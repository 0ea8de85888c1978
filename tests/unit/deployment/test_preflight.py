from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from local.deployment.preflight import SECRETS, Finding, check, report, stack_status
from local.deployment.stages import Stage, read_stage

TABLES = "dynamodb", "list_tables"
LIMIT = "lambda", "get_account_settings"
QUEUES = "sqs", "list_queues"
KEY = "kms", "describe_key"
STACK = "cloudformation", "describe_stacks"
STACKS = "cloudformation", "list_stacks"
ACCOUNT = "sesv2", "get_account"
IDENTITY = "sesv2", "get_email_identity"
PARAMETERS = "ssm", "get_parameters"

SESSION = boto3.session.Session("id", "secret", region_name="ap-northeast-1")

Answers = dict[tuple[str, str], dict[str, Any] | str]
"""What the account answers, by service and operation; a text is the code of an error."""


def stack_with(*parameters: str, value: str = "false") -> dict[str, Any]:
    """Return the description of a stack that was deployed with these parameters, all of this value."""
    values = [{"ParameterKey": name, "ParameterValue": value} for name in parameters]
    created = datetime(2026, 11, 1, tzinfo=UTC)
    return {
        "Stacks": [{"StackName": "s", "CreationTime": created, "StackStatus": "UPDATE_COMPLETE", "Parameters": values}]
    }


def account(**changes: Any) -> Answers:
    """Return the answers of an account that is ready for the stage prod."""
    return {
        LIMIT: {"AccountLimit": {"ConcurrentExecutions": 1000}},
        TABLES: {"TableNames": []},
        QUEUES: {},
        KEY: {"KeyMetadata": {"KeyId": "k", "KeyState": "Enabled"}},
        STACKS: {"StackSummaries": []},
        STACK: stack_with("SecretsWithoutKind"),
        ACCOUNT: {"ProductionAccessEnabled": True},
        IDENTITY: {"VerifiedForSendingStatus": True},
        PARAMETERS: {"Parameters": []},
    }


@cache
def aws_client(service: str) -> Any:
    return SESSION.client(service)  # type: ignore[call-overload]


@contextmanager
def clients_that_answer(answers: Answers) -> Iterator[Callable[[str], Any]]:
    with ExitStack() as stubs:
        for service in {service for service, _ in answers}:
            stubber = stubs.enter_context(Stubber(aws_client(service)))
            for (of_service, operation), answer in answers.items():
                match answer:
                    case _ if of_service != service:
                        pass
                    case str(code):
                        stubber.add_client_error(operation, service_error_code=code)
                    case _:
                        stubber.add_response(operation, answer)
        yield aws_client


def stage(name: str = "prod", *, region: str = "ap-northeast-1", **overrides: str) -> Stage:
    known = read_stage(name)
    given: Mapping[str, str] = {"AlarmEmail": "ops@example.com", "SenderAddress": "notices@example.com"}
    return Stage(name, known.stack_name, region, {**known.overrides, **given, **overrides})


def findings(of: Stage, answers: Answers, *, status: str | None = None) -> list[Finding]:
    with clients_that_answer(answers) as client:
        return check(of, client, status=status)


def test_ready_account_has_no_finding() -> None:
    assert findings(stage(), account()) == []
    assert findings(stage(), account(), status="UPDATE_COMPLETE") == []


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "ca-central-1"])
def test_regions_that_the_exchange_refuses_block(region: str) -> None:
    (finding,) = findings(stage(region=region), account())
    assert finding.blocks
    assert region in finding.what


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_stages_of_samconfig_are_in_a_region_that_the_exchange_serves(name: str) -> None:
    known = read_stage(name)
    assert [one for one in findings(stage(name, region=known.region), account()) if one.blocks] == []


@pytest.mark.parametrize(("limit", "blocked"), [(216, True), (217, False)])
def test_reserves_must_leave_a_hundred_of_the_accounts_concurrency(limit: int, *, blocked: bool) -> None:
    answers = account() | {LIMIT: {"AccountLimit": {"ConcurrentExecutions": limit}}}
    found = findings(stage(), answers)
    assert [one.blocks for one in found] == ([True] if blocked else [])


def test_stage_dev_fits_a_new_account() -> None:
    answers = account() | {LIMIT: {"AccountLimit": {"ConcurrentExecutions": 10}}}
    assert findings(stage("dev"), answers) == []


def test_kept_tables_of_a_deleted_stack_block_and_those_of_another_stage_do_not() -> None:
    other = account() | {TABLES: {"TableNames": ["lockstep-dev-users", "lockstep-notes"]}}
    assert findings(stage(), other) == []
    kept = account() | {TABLES: {"TableNames": ["lockstep-users", "lockstep-plans"]}}
    (finding,) = findings(stage(), kept)
    assert finding.blocks
    assert "lockstep-users" in finding.what


def test_kept_queues_of_a_deleted_stack_block_and_those_of_another_stage_do_not() -> None:
    base = "https://sqs.ap-northeast-1.amazonaws.com/123456789012/"
    other = account() | {QUEUES: {"QueueUrls": [f"{base}lockstep-dev-keys-dead-letters", f"{base}lockstep-notes"]}}
    assert findings(stage(), other) == []
    urls = [f"{base}lockstep-{name}" for name in ("keys-dead-letters", "orders-dead-letters.fifo")]
    (finding,) = findings(stage(), account() | {QUEUES: {"QueueUrls": urls}})
    assert finding.blocks
    assert finding.what.endswith(": lockstep-keys-dead-letters, lockstep-orders-dead-letters.fifo")


def test_stack_whose_first_deployment_failed_must_be_deleted_first() -> None:
    (finding,) = findings(stage(), account(), status="ROLLBACK_COMPLETE")
    assert finding.blocks
    assert "sam delete --stack-name lockstep " in finding.remedy


def listed(name: str, status: str) -> dict[str, Any]:
    """Return what CloudFormation lists where this stack is in the way."""
    return {"StackSummaries": [{"StackName": name, "StackStatus": status, "CreationTime": datetime.now(UTC)}]}


@pytest.mark.parametrize(
    ("name", "status", "told", "blocks"),
    [
        ("lockstep", "UPDATE_ROLLBACK_FAILED", "continue-update-rollback", True),
        ("lockstep", "UPDATE_IN_PROGRESS", "wait", True),
        ("lockstep-lane-2", "UPDATE_ROLLBACK_FAILED", "continue-update-rollback", True),
        ("lockstep-lane-2", "DELETE_IN_PROGRESS", "wait", True),
        ("lockstep-lane-2", "DELETE_FAILED", "NAME=lane-2 REMOVE=1", True),
        ("lockstep-lane-2", "ROLLBACK_COMPLETE", "NAME=lane-2 REMOVE=1", False),
    ],
)
def test_lanes_that_cannot_be_updated_are_told(name: str, status: str, told: str, *, blocks: bool) -> None:
    answers = account() | {STACKS: listed(name, status)}
    (finding,) = findings(stage(), answers, status="UPDATE_COMPLETE")
    assert (name in finding.what, status in finding.what, finding.blocks) == (True, True, blocks)
    assert told in finding.remedy


def test_stacks_of_others_are_no_concern() -> None:
    answers = account() | {STACKS: listed("lockstep-dev-lane-2", "UPDATE_ROLLBACK_FAILED")}
    assert findings(stage(), answers, status="UPDATE_COMPLETE") == []


@pytest.mark.parametrize(("status", "blocks"), [("ROLLBACK_COMPLETE", False), ("DELETE_FAILED", True)])
def test_edge_that_cannot_be_updated_is_told(status: str, *, blocks: bool) -> None:
    virginia = boto3.session.Session("id", "secret", region_name="us-east-1").client("cloudformation")
    with clients_that_answer(account()) as client, Stubber(virginia) as stubber:
        stubber.add_response("list_stacks", listed("lockstep-edge", status))
        found = check(stage(), client, status=None, edge_client=lambda _: virginia)
    assert [("lockstep-edge" in one.what, one.blocks) for one in found] == [(True, blocks)]


def test_secrets_key_that_waits_for_its_deletion_blocks() -> None:
    answers = account() | {KEY: {"KeyMetadata": {"KeyId": "k", "KeyState": "PendingDeletion"}}}
    (finding,) = findings(stage(), answers, status="UPDATE_COMPLETE")
    assert finding.blocks


def test_stack_from_before_the_secrets_had_kinds_blocks_until_its_roles_open_those_without() -> None:
    answers = account() | {STACK: stack_with("Stage")}
    (finding,) = findings(stage(), answers, status="UPDATE_COMPLETE")
    assert finding.blocks
    assert "make reseal" in finding.remedy
    assert findings(stage(SecretsWithoutKind="true"), answers, status="UPDATE_COMPLETE") == []


RESEALED = "ssm", "get_parameter"


@pytest.mark.parametrize(
    ("resealed", "blocked"),
    [
        ("ParameterNotFound", True),
        ({"Parameter": {"LastModifiedDate": datetime(2026, 10, 31, tzinfo=UTC)}}, True),
        ({"Parameter": {"LastModifiedDate": datetime(2026, 11, 2, tzinfo=UTC)}}, False),
    ],
    ids=["never", "before the last deployment", "since"],
)
def test_secrets_without_a_kind_are_not_closed_before_they_are_resealed(
    resealed: dict[str, Any] | str, *, blocked: bool
) -> None:
    answers = account() | {STACK: stack_with("SecretsWithoutKind", value="true"), RESEALED: resealed}
    found = findings(stage(), answers, status="UPDATE_COMPLETE")
    assert [one.blocks for one in found] == ([True] if blocked else [])
    assert all("make reseal STAGE=prod" in one.remedy for one in found)
    assert findings(stage(SecretsWithoutKind="true"), answers, status="UPDATE_COMPLETE") == []


EXPORTS = "dynamodb", "list_exports"
ARN = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/lockstep-execution_events"


@pytest.mark.parametrize(
    ("statuses", "blocked"), [([], True), (["IN_PROGRESS", "FAILED"], True), (["FAILED", "COMPLETED"], False)]
)
def test_events_do_not_expire_before_an_export_has_them(statuses: list[str], *, blocked: bool) -> None:
    answers = account() | {
        ("cloudformation", "list_stack_resources"): {"StackResourceSummaries": []},
        ("dynamodb", "describe_table"): {"Table": {"TableArn": ARN}},
        EXPORTS: {"ExportSummaries": [{"ExportArn": f"{ARN}/export/{one}", "ExportStatus": one} for one in statuses]},
    }
    del answers[TABLES]
    settings = {"TableExports": "true", "ExpireExported": "true", "SecretsWithoutKind": "true"}
    found = findings(stage(**settings), answers, status="UPDATE_COMPLETE")
    assert [one.blocks for one in found] == ([True] if blocked else [])
    assert all("wait for the first export" in one.remedy for one in found)


def test_events_that_expire_already_need_no_other_export() -> None:
    # A restored table has none yet.
    answers = account() | {STACK: stack_with("SecretsWithoutKind", "ExpireExported", value="true")}
    settings = {"TableExports": "true", "ExpireExported": "true", "SecretsWithoutKind": "true"}
    assert findings(stage(**settings), answers, status="UPDATE_COMPLETE") == []


def test_production_without_an_address_for_alarms_is_blocked_and_dev_is_told() -> None:
    assert [one.blocks for one in findings(stage(AlarmEmail=""), account())] == [True]
    assert [one.blocks for one in findings(stage("dev", AlarmEmail=""), account())] == [False]


@pytest.mark.parametrize("answer", ["NotFoundException", {"VerifiedForSendingStatus": False}])
def test_sender_whom_ses_has_not_verified_blocks_as_cognito_refuses_it(answer: Any) -> None:
    (finding,) = findings(stage(), account() | {IDENTITY: answer})
    assert (finding.what, finding.blocks) == ("SES has not verified notices@example.com", True)


def asked_identities(of: Stage) -> tuple[list[Finding], list[str]]:
    """Return what is found, and whom SES was asked for."""
    asked: list[str] = []

    class Ses:
        exceptions = aws_client("sesv2").exceptions

        def get_account(self) -> Any:
            return {"ProductionAccessEnabled": True}

        def get_email_identity(self, *, EmailIdentity: str) -> Any:  # noqa: N803 - SES's own name
            asked.append(EmailIdentity)
            return {"VerifiedForSendingStatus": True}

    answers = {key: answer for key, answer in account().items() if key[0] != "sesv2"}
    with clients_that_answer(answers) as client:
        return check(of, lambda service: Ses() if service == "sesv2" else client(service), status=None), asked


@pytest.mark.parametrize(("identity", "asked"), [("", "notices@example.com"), ("example.com", "example.com")])
def test_identity_that_cognito_sends_by_is_the_one_that_ses_is_asked_for(identity: str, asked: str) -> None:
    assert asked_identities(stage(SenderIdentity=identity)) == ([], [asked])


@pytest.mark.parametrize("identity", ["example.org", "other@example.com", "ample.com"])
def test_identity_that_may_not_send_for_the_sender_blocks(identity: str) -> None:
    found, _ = asked_identities(stage(SenderIdentity=identity))
    assert [(identity in one.what, one.blocks) for one in found] == [(True, True)]


def test_sandbox_and_missing_secrets_are_told() -> None:
    answers = account() | {
        ACCOUNT: {"ProductionAccessEnabled": False},
        PARAMETERS: {"Parameters": [], "InvalidParameters": ["/lockstep/stripe-api-key"]},
    }
    found = findings(stage(), answers)
    assert [one.blocks for one in found] == [False, False]
    assert [word in one.what for one, word in zip(found, ["sandbox", "stripe-api-key"], strict=True)] == [True, True]


class Ssm:
    """SSM with these parameters."""

    def __init__(self, *names: str) -> None:
        self._names = {f"/lockstep/{name}" for name in names}

    def get_parameters(self, *, Names: list[str]) -> dict[str, Any]:  # noqa: N803 - SSM's own name
        return {"InvalidParameters": [name for name in Names if name not in self._names]}


@pytest.mark.parametrize(
    ("overrides", "stored", "blocked"),
    [
        ({}, SECRETS, True),
        ({}, [*SECRETS, "edge-secret"], False),
        # `make deploy` makes the secret of a distribution of ours.
        ({"WebhookDomainName": "hooks.example.com"}, SECRETS, False),
        ({"DirectWebhookCalls": "allowed"}, SECRETS, False),
    ],
)
def test_refusing_direct_calls_needs_the_secret_of_who_passes_them_on(
    overrides: dict[str, str], stored: Sequence[str], blocked: bool
) -> None:
    given = {"DirectWebhookCalls": "refused", "PublicWebhookUrl": "https://hooks.example.com/alerts", **overrides}
    answers = account()
    del answers[PARAMETERS]
    with clients_that_answer(answers) as client:
        found = check(
            stage(**given), lambda service: Ssm(*stored) if service == "ssm" else client(service), status=None
        )
    told = ["no request could reach the webhooks: /lockstep/edge-secret is not stored"]
    assert [one.what for one in found if one.blocks] == (told if blocked else [])


def test_question_that_is_not_answered_is_told_and_holds_back_no_other() -> None:
    answers = account() | {LIMIT: "AccessDeniedException", TABLES: {"TableNames": ["lockstep-users"]}}
    found = findings(stage(), answers)
    assert [one.blocks for one in found] == [False, True]
    assert "AccessDeniedException" in found[0].what


def test_report_names_what_blocks_first_and_says_whether_to_go_on() -> None:
    lines: list[str] = []
    assert not report([Finding("a", "b", blocks=False), Finding("c", "d")], write=lines.append)
    assert lines == ["must: c; d", "note: a; b", "1 to mend before the deployment"]
    lines.clear()
    assert report([], write=lines.append)
    assert lines == ["ready to deploy"]


@pytest.mark.parametrize(("status", "expected"), [("REVIEW_IN_PROGRESS", None), ("UPDATE_COMPLETE", "UPDATE_COMPLETE")])
def test_stack_with_nothing_but_a_change_set_counts_as_none(status: str, expected: str | None) -> None:
    stack = {"StackName": "lockstep", "StackStatus": status, "CreationTime": "2026-11-29T00:00:00Z"}
    answers: Answers = {("cloudformation", "describe_stacks"): {"Stacks": [stack]}}
    with clients_that_answer(answers) as client:
        assert stack_status(stage(), client("cloudformation")) == expected


def test_stack_that_is_not_there_has_no_status() -> None:
    answers: Answers = {("cloudformation", "describe_stacks"): "ValidationError"}
    with clients_that_answer(answers) as client:
        assert stack_status(stage(), client("cloudformation")) is None


LOG_ROLE = "apigateway", "get_account"
CERTIFICATE = "acm", "describe_certificate"
CERTIFICATE_ARN = "arn:aws:acm:ap-northeast-1:123456789012:certificate/12ab-34cd"


@pytest.mark.parametrize(("role", "blocking"), [("arn:aws:iam::123456789012:role/gateway-logs", 0), (None, 1)])
def test_access_logs_need_the_accounts_role(role: str | None, blocking: int) -> None:
    answers = account() | {LOG_ROLE: {"cloudwatchRoleArn": role} if role else {}}
    found = findings(stage(ApiAccessLogs="true"), answers)
    assert [one.what for one in found if one.blocks] == [
        "API Gateway has no role to write logs with in this account and region"
    ][:blocking]


@pytest.mark.parametrize(
    ("region", "status", "told"),
    [
        ("ap-northeast-1", "ISSUED", []),
        ("ap-northeast-1", "PENDING_VALIDATION", ["ApiCertificateArn is PENDING_VALIDATION"]),
        ("us-east-1", "ISSUED", ["ApiCertificateArn is of us-east-1"]),
    ],
)
def test_certificate_of_the_api_is_issued_in_the_stacks_region(region: str, status: str, told: list[str]) -> None:
    arn = CERTIFICATE_ARN.replace("ap-northeast-1", region)
    answers = account() | {CERTIFICATE: {"Certificate": {"CertificateArn": arn, "Status": status}}}
    found = findings(stage(ApiDomainName="api.example.com", ApiCertificateArn=arn), answers)
    assert [one.what for one in found if one.blocks] == told
