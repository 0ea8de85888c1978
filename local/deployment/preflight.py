"""Asks an AWS account what a deployment would fail on, or be mute about: `make preflight STAGE=prod`.

Reads only. Whether the exchange answers from inside the account cannot be seen from here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local.deployment.restored_tables import read_restored
from local.deployment.stages import STAGES, Stage, read_stage
from local.stack.deploy import read_template
from local.stack.lanes import is_name
from local.stack.stacks import NEVER_MADE, describe, find, values_of

EXPIRING = "execution_events"
"""The table whose records leave it after they were exported."""

UNRESERVED = 100
"""Lambda keeps this much of an account's concurrency for functions without a reserve."""

RESERVES = (
    "WebhookConcurrency",
    "StripeWebhookConcurrency",
    "TelegramWebhookConcurrency",
    "UnsubscribeConcurrency",
    "ExecutorConcurrency",
    "WatcherConcurrency",
)
"""The template's parameters that reserve concurrency."""

REFUSED_REGIONS = ("us-", "ca-")
"""Beginnings of the names of regions whose addresses the exchange answers with 451."""

SECRETS = (
    "stripe-api-key",
    "stripe-webhook-secret",
    "telegram-bot-token",
    "telegram-webhook-secret",
    "telegram-link-key",
)
"""The secrets that an operator stores in SSM, as /<stack>/<name>."""

EDGE_SECRET = "edge-secret"  # noqa: S105 - a parameter's name
"""The secret of what passes requests on to the webhooks, in SSM as /<stack>/<name>."""

NO_CREDENTIALS = "No AWS credentials: set AWS_PROFILE, or run `aws configure` (or `aws sso login`)."


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an operator has to know before the deployment."""

    what: str
    remedy: str
    blocks: bool = True
    """False where the deployment works, and something is missing afterwards."""


EDGE_REGION = "us-east-1"
"""The one region from which CloudFront takes certificates and firewalls, and that of the edge's stack."""

_FAILED_AT_CREATION = NEVER_MADE | {"DELETE_FAILED"}

_BUSY = (
    "CREATE_IN_PROGRESS",
    "ROLLBACK_IN_PROGRESS",
    "DELETE_IN_PROGRESS",
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
    "IMPORT_ROLLBACK_IN_PROGRESS",
)
_STUCK = ("UPDATE_ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED")

Client = Callable[[str], Any]
"""Returns the client of an AWS service, by its name."""


def check(stage: Stage, client: Client, *, status: str | None, edge_client: Client | None = None) -> list[Finding]:
    """Return what stands against deploying a stage, in the order in which to see to it.

    `status` is that of the stage's stack, None where there is none. `edge_client` has the clients of the region of the
    edge's stack, for a stage with a distribution. A question that the account does not answer is a
    finding of its own and holds back no other.
    """
    found: list[Finding] = []
    questions: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("the region", lambda: _region(stage)),
        ("the stack", lambda: _stack(stage, status)),
        ("the stacks of the stage and its lanes", lambda: _stacks(stage, client("cloudformation"))),
        ("the address for alarms", lambda: _alarm_address(stage)),
        ("Lambda's concurrency", lambda: _concurrency(stage, client("lambda"))),
        ("SES", lambda: _sender(stage, client("sesv2"))),
        ("the secrets in SSM", lambda: _secrets(stage, client("ssm"))),
    ]
    if edge_client is not None:
        questions.append(("the stack of CloudFront", lambda: _stacks(stage, edge_client("cloudformation"))))
    if stage.parameter("ApiAccessLogs") == "true":
        questions.append(("API Gateway's role for logs", lambda: _log_role(client("apigateway"))))
    if stage.parameter("ApiCertificateArn"):
        questions.append(("the API's certificate", lambda: _certificate(stage, client("acm"))))
    if status is None:
        questions.append(("tables of an earlier stack", lambda: _leftovers(stage, client("dynamodb"))))
        questions.append(("queues of an earlier stack", lambda: _left_queues(stage, client("sqs"))))
    else:
        questions.append(("the key of the exchange keys' secrets", lambda: _secrets_key(stage, client("kms"))))
        questions.append(
            ("the kinds of the secrets", lambda: _secrets_kinds(stage, client("cloudformation"), client("ssm")))
        )
        if stage.parameter("ExpireExported") == "true":
            questions.append(("the exports of tables", lambda: _exports(stage, client)))
    for subject, ask in questions:
        try:
            found += ask()
        except (BotoCoreError, ClientError) as error:
            what = f"{subject} could not be read: {error}"
            found.append(Finding(what, "give the profile the right to read it", blocks=False))
    return found


def _region(stage: Stage) -> Iterator[Finding]:
    if stage.region.startswith(REFUSED_REGIONS):
        yield Finding(
            f"the exchange refuses addresses of {stage.region} (HTTP 451)",
            "choose another region in samconfig.toml, such as ap-northeast-1",
        )


def _stack(stage: Stage, status: str | None) -> Iterator[Finding]:
    if status in _FAILED_AT_CREATION:
        yield Finding(
            f"the first deployment of {stage.stack_name} failed ({status}), which CloudFormation cannot update",
            f"`sam delete --stack-name {stage.stack_name} --region {stage.region}`, then deploy again",
        )


def _stacks(stage: Stage, cloudformation: Any) -> Iterator[Finding]:
    """Find those of the stage's stacks in a region that cannot be updated as they are."""
    asked = [*sorted(_FAILED_AT_CREATION), *_BUSY, *_STUCK]
    pages = cloudformation.get_paginator("list_stacks").paginate(StackStatusFilter=asked)
    for one in (one for page in pages for one in page["StackSummaries"]):
        name, status = str(one["StackName"]), str(one["StackStatus"])
        beside = name.removeprefix(f"{stage.stack_name}-")
        is_lane = is_name(beside) and beside != name
        if not (is_lane or name in {stage.stack_name, f"{stage.stack_name}-edge"}):
            continue
        region, what = cloudformation.meta.region_name, f"stack {name} is {status}"
        remove = f"`make lane STAGE={stage.name} NAME={beside} REMOVE=1`"
        by_name = f"--stack-name {name} --region {region}"
        if status in _BUSY:
            yield Finding(what, "wait until that is done")
        elif status in _STUCK:
            yield Finding(what, f"mend what it waits for, then `aws cloudformation continue-update-rollback {by_name}`")
        elif name == stage.stack_name:
            continue  # `_stack` tells it
        elif status == "DELETE_FAILED":
            yield Finding(what, remove if is_lane else f"`sam delete {by_name}`")
        else:
            give_up = f"; to give it up, {remove} first" if is_lane else ""
            yield Finding(what, f"the deployment deletes it and makes it again{give_up}", blocks=False)


def _alarm_address(stage: Stage) -> Iterator[Finding]:
    if not stage.parameter("AlarmEmail"):
        yield Finding(
            "nobody is told of alarms", "set AlarmEmail in samconfig.toml", blocks=stage.parameter("Stage") == "prod"
        )


def _concurrency(stage: Stage, awslambda: Any) -> Iterator[Finding]:
    limit = int(awslambda.get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
    reserved = sum(stage.number(name) for name in RESERVES)
    if reserved and limit < reserved + UNRESERVED:
        yield Finding(
            f"the reserves need {reserved + UNRESERVED} concurrent executions, and the account has {limit}",
            "ask for more (Service Quotas, Lambda, Concurrent executions), or set the reserves to 0 as stage dev does",
        )


def _log_role(gateway: Any) -> Iterator[Finding]:
    if not gateway.get_account().get("cloudwatchRoleArn"):
        yield Finding(
            "API Gateway has no role to write logs with in this account and region",
            "make one (docs/deploying.md, Access logs), or set ApiAccessLogs to false",
        )


def _certificate(stage: Stage, acm: Any) -> Iterator[Finding]:
    arn = stage.parameter("ApiCertificateArn")
    region = arn.split(":")[3]
    if region != stage.region:
        yield Finding(f"ApiCertificateArn is of {region}", f"request a certificate in {stage.region}")
        return
    status = acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"]
    if status != "ISSUED":
        yield Finding(f"ApiCertificateArn is {status}", "make the DNS record that ACM names, and wait")


def _leftovers(stage: Stage, dynamodb: Any) -> Iterator[Finding]:
    pages = dynamodb.get_paginator("list_tables").paginate()
    kept = sorted(stage.table_names & {name for page in pages for name in page["TableNames"]})
    if kept:
        yield Finding(
            f"{len(kept)} tables of a deleted stack {stage.stack_name} are there, such as {kept[0]}",
            "deploy under another stack name, or export and delete them (docs/deploying.md)",
        )


def _left_queues(stage: Stage, sqs: Any) -> Iterator[Finding]:
    pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix=f"{stage.stack_name}-")
    there = {str(url).rpartition("/")[2] for page in pages for url in page.get("QueueUrls", [])}
    if kept := sorted(stage.queue_names & there):
        yield Finding(
            f"{len(kept)} queues of a deleted stack {stage.stack_name} are there: {', '.join(kept)}",
            "look at what is in them, delete them and wait a minute (docs/deploying.md), or take another stack name",
        )


def _secrets_key(stage: Stage, kms: Any) -> Iterator[Finding]:
    state = kms.describe_key(KeyId=f"alias/{stage.stack_name}-secrets")["KeyMetadata"]["KeyState"]
    if state != "Enabled":
        yield Finding(
            f"the key of the exchange keys' secrets is {state}",
            f"enable it, or cancel its deletion: alias/{stage.stack_name}-secrets",
        )


def resealed_parameter(stack: str) -> str:
    """Return the name of the SSM parameter whose time is that of the last complete `make reseal`."""
    return f"/{stack}/secrets-resealed"


def _exports(stage: Stage, client: Client) -> Iterator[Finding]:
    """Find that events would leave their table before any export has them."""
    cloudformation, dynamodb = client("cloudformation"), client("dynamodb")
    stack = describe(cloudformation, stage.stack_name)
    if values_of(stack).get("ExpireExported") == "true":
        return
    restored = read_restored(read_template(), stage.stack_name, cloudformation)
    name = restored.get(EXPIRING, f"{stage.stack_name}-{EXPIRING}")
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    # The first page has 25, of 90 days.
    if not any(one["ExportStatus"] == "COMPLETED" for one in dynamodb.list_exports(TableArn=arn)["ExportSummaries"]):
        yield Finding(
            f"no export of {name} has ended, and its old records would be lost",
            "deploy with TableExports=true and without ExpireExported, and wait for the first export",
        )


def last_resealed(stack: str, ssm: Any) -> datetime | None:
    """Return when `make reseal` ended last, None where it never has; raise botocore's errors."""
    try:
        resealed = ssm.get_parameter(Name=resealed_parameter(stack))["Parameter"]
    except ssm.exceptions.ParameterNotFound:
        return None
    at: datetime = resealed["LastModifiedDate"]
    return at


def _secrets_kinds(stage: Stage, cloudformation: Any, ssm: Any) -> Iterator[Finding]:
    if stage.parameter("SecretsWithoutKind") == "true":
        return
    stack = describe(cloudformation, stage.stack_name)
    values = values_of(stack)
    if values.get("SecretsWithoutKind") == "true" and not _resealed_since(stack, ssm):
        yield Finding(
            "secrets may still be without a kind, and no function could open them: no `make reseal` has ended since "
            "the last deployment",
            f"run `make reseal STAGE={stage.name}` before SecretsWithoutKind=true goes",
        )
    if "SecretsWithoutKind" not in values:
        yield Finding(
            "the stack's secrets carry no kind, and no function could open them",
            "set SecretsWithoutKind=true in samconfig.toml, deploy, run `make reseal`, and take it out again",
        )


def _resealed_since(stack: dict[str, Any], ssm: Any) -> bool:
    """Return whether a complete run is later than the stack's last update, whose functions may have sealed before."""
    resealed_at = last_resealed(stack["StackName"], ssm)
    return resealed_at is not None and resealed_at > stack.get("LastUpdatedTime", stack["CreationTime"])


def _sender(stage: Stage, ses: Any) -> Iterator[Finding]:
    sender = stage.parameter("SenderAddress")
    if not sender:
        yield Finding("no e-mails are sent", "set SenderAddress in samconfig.toml", blocks=False)
        return
    if not ses.get_account()["ProductionAccessEnabled"]:
        yield Finding(
            "SES is in its sandbox: it delivers to verified addresses only", "ask for production access", blocks=False
        )
    # Cognito refuses a pool whose sender is not verified, and names one identity of SES.
    identity = stage.parameter("SenderIdentity") or sender
    if identity not in {sender, sender.rpartition("@")[2]}:
        yield Finding(f"SenderIdentity {identity} may not send for {sender}", "give the address, or what follows its @")
        return
    try:
        verified = ses.get_email_identity(EmailIdentity=identity)["VerifiedForSendingStatus"]
    except ses.exceptions.NotFoundException:
        verified = False
    if not verified:
        yield Finding(
            f"SES has not verified {identity}",
            "create and confirm the identity in SES; if it has verified the domain of SenderAddress, name that in "
            "SenderIdentity; or leave SenderAddress empty until then",
        )


def _secrets(stage: Stage, ssm: Any) -> Iterator[Finding]:
    names = [f"/{stage.stack_name}/{name}" for name in SECRETS]
    edge_secret = f"/{stage.stack_name}/{EDGE_SECRET}"
    # With a distribution of ours, `make deploy` makes it.
    if stage.parameter("DirectWebhookCalls") == "refused" and not stage.parameter("WebhookDomainName"):
        names.append(edge_secret)
    for name in sorted(ssm.get_parameters(Names=names).get("InvalidParameters", [])):
        if name == edge_secret:
            yield Finding(
                f"no request could reach the webhooks: {name} is not stored",
                "store the X-Edge-Secret that your own proxy sends, or set WebhookDomainName",
            )
            continue
        yield Finding(f"{name} is not stored", "docs/operations.md says what it holds", blocks=False)


def session_of(stage: Stage) -> boto3.session.Session:
    """Return a session in the stage's region; raise NotOpened without credentials."""
    try:
        session = boto3.session.Session(region_name=stage.region)
        credentials = session.get_credentials()
    except BotoCoreError as error:
        raise NotOpened(f"{error}: `aws configure list-profiles` names those that are there") from error
    if credentials is None:
        raise NotOpened(NO_CREDENTIALS)
    return session


def clients_of(session: boto3.session.Session) -> Client:
    """Return what makes the clients of a session."""

    def client(service: str) -> Any:
        return session.client(service)  # type: ignore[call-overload]

    return client


def edge_clients(stage: Stage) -> Client:
    """Return the clients of the region of the edge's stack; raise NotOpened without credentials."""
    return clients_of(session_of(replace(stage, region=EDGE_REGION)))


def edge_clients_if_any(stage: Stage) -> Client | None:
    """Return those clients for a stage with a distribution, None for another; raise NotOpened without credentials."""
    return edge_clients(stage) if stage.parameter("WebhookDomainName") else None


def stack_status(stage: Stage, cloudformation: Any) -> str | None:
    """Return the status of the stage's stack, None where there is none; raise botocore's errors."""
    stack = find(cloudformation, stage.stack_name)
    # A stack that has only a change set has nothing yet.
    return None if stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS" else str(stack["StackStatus"])


def report(findings: list[Finding], *, write: Callable[[str], object] = print) -> bool:
    """Write the findings, those that block first; return whether the deployment may go on."""
    for finding in sorted(findings, key=lambda one: not one.blocks):
        write(f"{'must' if finding.blocks else 'note'}: {finding.what}; {finding.remedy}")
    blocking = sum(finding.blocks for finding in findings)
    write(f"{blocking} to mend before the deployment" if blocking else "ready to deploy")
    return not blocking


class NotOpened(Exception):
    """The account of a stage cannot be asked; the text says why, in one line."""

    def __init__(self, reason: str, *, exit_status: int = 1) -> None:
        super().__init__(reason)
        self.exit_status = exit_status


def open_account(arguments: list[str]) -> tuple[Stage, Client, str | None]:
    """Return the stage that is named, the clients of its account and its stack's status; raise NotOpened."""
    if len(arguments) != 1 or arguments[0] not in STAGES:
        raise NotOpened(f"name a stage: STAGE={' or STAGE='.join(STAGES)}", exit_status=2)
    stage = read_stage(arguments[0])
    client = clients_of(session_of(stage))
    try:
        return stage, client, stack_status(stage, client("cloudformation"))
    except (BotoCoreError, ClientError) as error:
        raise NotOpened(f"AWS refuses these credentials, or cannot be reached: {error}") from error


def main(arguments: list[str]) -> int:
    """Check the stage that is named and return the exit status."""
    try:
        stage, client, status = open_account(arguments)
        edge_client = edge_clients_if_any(stage)
    except NotOpened as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0 if report(check(stage, client, status=status, edge_client=edge_client)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
