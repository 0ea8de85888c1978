"""Restores a table of a point in time, and lets the stack use it: `make restore STAGE=prod TABLE=users TIME=…`.

DynamoDB restores into a new table, without time to live, stream, further recovery, protection and tags. The steps:

1. Restore into `<stack>-<table>-<time>`, and give it what the first table has.
2. Take the first table out of the stack, which keeps it; whatever names it names the restored one meanwhile, and
   functions keep their rights on both.
3. Import the restored table into the stack in its place.
4. Deploy, which gives the functions the new name; mappings of its stream move along. Further lanes take no orders until
   they have it too.

Run again with the same TABLE and TIME, it goes on where it was interrupted. What was written to the first table since
TIME is not in the restored one: stop entries and put the API into maintenance before.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from local.deployment.account import OpenedStack, open_stack
from local.deployment.build import Run, run_in_root
from local.deployment.command import exit_status_of
from local.deployment.deploy import deploy_everything
from local.deployment.paused_lanes import NotPaused, paused_lanes
from local.deployment.preflight import (
    Client,
    check,
    edge_clients_if_any,
    last_resealed,
    report,
    stack_status,
)
from local.deployment.releases import name_local_release
from local.deployment.reseal import TABLES_WITH_SECRETS
from local.deployment.restored_tables import usual_names
from local.deployment.stages import Stage
from local.stack.build import BUILT_LANE, BUILT_TEMPLATE
from local.stack.deploy import ARTIFACTS, read_template, sam_deploy
from local.stack.deploy import client as client_of
from local.stack.lanes import lanes_of, stack_of
from local.stack.places import STACK_NAME, NotReady, Places
from local.stack.stacks import describe, outputs_of, values_of
from local.stack.stacks import find as find_stack
from shared.clock import to_iso

KIND = "AWS::DynamoDB::Table"

SAM_STACK = "aws-sam-cli-managed-default"
"""The stack in which SAM keeps the bucket of `resolve_s3`."""

_MAX_RESTORE_S = 24 * 3600
_MAX_CHANGE_S = 3600

Write = Callable[[str], object]


class NotRestored(Exception):
    """A step was not possible; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Restore:
    """A table to restore, and what of."""

    stack: str
    logical_id: str
    source: str
    """The deployed name of the table that the stack has now."""
    target: str
    moment: datetime
    resource: Mapping[str, Any]
    """What this project's template says about the table."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the steps need beside the order of things."""

    client: Client
    bucket: str
    """Where templates are uploaded that are too long for a request."""
    redeploy: Callable[[], int]
    """Deploys the stack with the names that it has by now, and returns the exit status."""
    write: Write = print
    pause_s: float = 5
    any_moment: bool = False
    """For the embedded AWS, which keeps no history, restores today's items whatever the time, and tells no range."""


def find(stack: str, noun: str, moment: datetime, client: Client, template: Mapping[str, Any]) -> Restore:
    """Return the restore of a table, by its noun (`users`); raise NotRestored where there is no such table."""
    usual = {known: logical_id for logical_id, (known, _) in usual_names(template, stack).items()}
    if noun not in usual:
        raise NotRestored(f"there is no table {noun}; those are {', '.join(sorted(usual))}")
    target = f"{stack}-{noun}-{moment:%Y%m%dT%H%M%S}"
    try:
        found = client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=usual[noun])
        source = str(found["StackResourceDetail"]["PhysicalResourceId"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        # An interrupted run has taken it out of the stack.
        source = f"{stack}-{noun}"
    return Restore(stack, usual[noun], source, target, moment, template["Resources"][usual[noun]])


def restore(wanted: Restore, tools: Tools) -> None:
    """Do all steps that are not done yet; raise NotRestored or botocore's errors."""
    if wanted.source == wanted.target:
        tools.write(f"the stack has {wanted.target} already: only the deployment is left")
    else:
        table = make_table(wanted, tools)
        move_stack(wanted, table, tools)
    if failed := tools.redeploy():
        raise NotRestored(f"the deployment failed ({failed}): mend it, and run this again")
    tools.write(f"{wanted.stack} uses {wanted.target}; {wanted.source} is kept, and nothing uses it")


def make_table(wanted: Restore, tools: Tools) -> dict[str, Any]:
    """Restore into a new table, give it what the first one has, and return its description."""
    dynamodb = tools.client("dynamodb")
    first = _describe(wanted.source, dynamodb)
    if first is None:
        raise NotRestored(f"{wanted.source} is not there")
    if _describe(wanted.target, dynamodb) is None:
        if not tools.any_moment:
            _check_moment(wanted, dynamodb)
        dynamodb.restore_table_to_point_in_time(
            SourceTableName=wanted.source, TargetTableName=wanted.target, RestoreDateTime=wanted.moment
        )
        tools.write(f"1. {wanted.source} of {wanted.moment:%Y-%m-%dT%H:%M:%SZ} is being restored as {wanted.target}")
    _wait_for_table(wanted.target, dynamodb, tools)
    _give_what_a_restore_leaves_out(wanted, first, dynamodb, tools)
    table = _wait_for_table(wanted.target, dynamodb, tools)
    tools.write(f"   {wanted.target} is ready, with time to live, stream, recovery, protection and tags of the first")
    return table


def _check_moment(wanted: Restore, dynamodb: Any) -> None:
    backups = dynamodb.describe_continuous_backups(TableName=wanted.source)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]
    if recovery["PointInTimeRecoveryStatus"] != "ENABLED":
        raise NotRestored(f"{wanted.source} has no point-in-time recovery")
    earliest, latest = recovery.get("EarliestRestorableDateTime"), recovery.get("LatestRestorableDateTime")
    if (earliest and wanted.moment < earliest) or (latest and wanted.moment > latest):
        raise NotRestored(f"TIME must be from {earliest:%Y-%m-%dT%H:%M:%SZ} to {latest:%Y-%m-%dT%H:%M:%SZ}")


def _give_what_a_restore_leaves_out(wanted: Restore, first: dict[str, Any], dynamodb: Any, tools: Tools) -> None:
    name = wanted.target
    lives = dynamodb.describe_time_to_live(TableName=wanted.source)["TimeToLiveDescription"]
    lives_now = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if lives.get("TimeToLiveStatus") == "ENABLED" and lives_now.get("TimeToLiveStatus", "DISABLED") == "DISABLED":
        specification = {"Enabled": True, "AttributeName": lives["AttributeName"]}
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)
    table = _describe(name, dynamodb) or {}
    if first.get("StreamSpecification", {}).get("StreamEnabled") and not table.get("LatestStreamArn"):
        dynamodb.update_table(TableName=name, StreamSpecification=first["StreamSpecification"])
        _wait_for_table(name, dynamodb, tools)
    if first.get("DeletionProtectionEnabled") and not table.get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=True)
        _wait_for_table(name, dynamodb, tools)
    dynamodb.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    tags = dynamodb.list_tags_of_resource(ResourceArn=first["TableArn"])["Tags"]
    # CloudFormation sets its own ones when it imports the table.
    own = [one for one in tags if not one["Key"].startswith("aws:")]
    if own:
        dynamodb.tag_resource(ResourceArn=table["TableArn"], Tags=own)


def move_stack(wanted: Restore, table: dict[str, Any], tools: Tools) -> None:
    """Put the restored table into the stack in place of the first."""
    cloudformation = tools.client("cloudformation")
    template = _template(wanted.stack, cloudformation)
    resource = template["Resources"].get(wanted.logical_id)
    if resource is not None:
        first = _describe(wanted.source, tools.client("dynamodb")) or {}
        without = without_table(template, wanted.logical_id, restored=table, first=first)
        _change(wanted, without, tools)
        tools.write(f"2. {wanted.source} has left the stack, and is kept")
    else:
        # An interrupted run has taken it out.
        without, resource = template, wanted.resource
    properties = {**resource["Properties"], "TableName": wanted.target}
    imported = {**resource, "Properties": properties}
    with_restored = {**without, "Resources": {**without["Resources"], wanted.logical_id: imported}}
    _change(wanted, with_restored, tools, imports=True)
    tools.write(f"3. {wanted.target} is in the stack in its place")


def without_table(
    template: Mapping[str, Any], logical_id: str, *, restored: Mapping[str, Any], first: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a template without a table, in which the restored one is named instead; rights are on both."""
    rest = {name: one for name, one in template["Resources"].items() if name != logical_id}
    return dict(_named({**template, "Resources": rest}, logical_id, restored, first))


def _named(value: Any, logical_id: str, restored: Mapping[str, Any], first: Mapping[str, Any]) -> Any:
    attributes = {"Arn": "TableArn", "StreamArn": "LatestStreamArn"}
    match value:
        case {"Ref": name} if name == logical_id:
            return restored["TableName"]
        case {"Fn::GetAtt": [name, attribute]} if name == logical_id:
            return restored.get(attributes[attribute], first.get(attributes[attribute]))
        case {"Fn::Sub": str(text)} if f"${{{logical_id}" in text:
            text = text.replace(f"${{{logical_id}}}", restored["TableName"])
            for attribute, key in attributes.items():
                text = text.replace(f"${{{logical_id}.{attribute}}}", restored.get(key, ""))
            return {"Fn::Sub": text} if "${" in text else text
        case dict():
            return {
                key: _both(inner, logical_id, restored, first)
                if key == "Resource"
                else _dependencies(inner, logical_id)
                if key == "DependsOn"
                else _named(inner, logical_id, restored, first)
                for key, inner in value.items()
            }
        case list():
            return [_named(inner, logical_id, restored, first) for inner in value]
    return value


def _both(value: Any, logical_id: str, restored: Mapping[str, Any], first: Mapping[str, Any]) -> Any:
    """Return the resources of a statement, with both tables where it names one: functions use the first for a while."""
    written = value if isinstance(value, list) else [value]
    answer = []
    for one in written:
        now = _named(one, logical_id, restored, first)
        answer += [now] if now == one else [_named(one, logical_id, first, first), now]
    return answer if isinstance(value, list) or len(answer) > 1 else answer[0]


def _dependencies(value: Any, logical_id: str) -> Any:
    return [one for one in value if one != logical_id] if isinstance(value, list) else value


def _template(stack: str, cloudformation: Any) -> dict[str, Any]:
    body = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    return dict(json.loads(body) if isinstance(body, str) else body)


def _change(wanted: Restore, template: Mapping[str, Any], tools: Tools, *, imports: bool = False) -> None:
    """Change the stack by a change set, and wait until it is done; raise NotRestored with the reason of a failure."""
    cloudformation = tools.client("cloudformation")
    name = f"restore-{'import' if imports else 'leave'}-{time.time_ns()}"
    key = f"{wanted.target}-{name}.template"
    tools.client("s3").put_object(Bucket=tools.bucket, Key=key, Body=json.dumps(template).encode())
    region = cloudformation.meta.region_name
    stack = describe(cloudformation, wanted.stack)
    request: dict[str, Any] = {
        "StackName": wanted.stack,
        "ChangeSetName": name,
        "ChangeSetType": "IMPORT" if imports else "UPDATE",
        "TemplateURL": f"https://s3.{region}.amazonaws.com/{tools.bucket}/{key}",
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [{"ParameterKey": name, "UsePreviousValue": True} for name in values_of(stack)],
    }
    if imports:
        request["ResourcesToImport"] = [
            {
                "ResourceType": KIND,
                "LogicalResourceId": wanted.logical_id,
                "ResourceIdentifier": {"TableName": wanted.target},
            }
        ]
    cloudformation.create_change_set(**request)
    _wait_for_change_set(wanted, name, cloudformation, tools)
    cloudformation.execute_change_set(StackName=wanted.stack, ChangeSetName=name)
    _wait_for_stack(wanted, cloudformation, tools)


def _wait_for_change_set(wanted: Restore, name: str, cloudformation: Any, tools: Tools) -> None:
    def made() -> bool:
        found = cloudformation.describe_change_set(StackName=wanted.stack, ChangeSetName=name)
        if found["Status"] == "FAILED":
            raise NotRestored(f"CloudFormation refuses the change: {found.get('StatusReason', 'no reason given')}")
        return bool(found["Status"] == "CREATE_COMPLETE")

    _wait(made, "the change set", _MAX_CHANGE_S, tools)


def _wait_for_stack(wanted: Restore, cloudformation: Any, tools: Tools) -> None:
    def done() -> bool:
        stack = describe(cloudformation, wanted.stack)
        status = str(stack["StackStatus"])
        if "ROLLBACK" in status or status.endswith("FAILED"):
            reason = stack.get("StackStatusReason", "see the stack's events")
            raise NotRestored(f"{wanted.stack} is {status}: {reason}")
        return status.endswith("COMPLETE")

    _wait(done, f"stack {wanted.stack}", _MAX_CHANGE_S, tools)


def _wait_for_table(name: str, dynamodb: Any, tools: Tools) -> dict[str, Any]:
    def ready() -> bool:
        table = _describe(name, dynamodb)
        if table is None:
            raise NotRestored(f"{name} is gone: the restore failed")
        indexes = table.get("GlobalSecondaryIndexes", [])
        return table["TableStatus"] == "ACTIVE" and all(one.get("IndexStatus", "ACTIVE") == "ACTIVE" for one in indexes)

    _wait(ready, f"table {name}", _MAX_RESTORE_S, tools)
    return dict(dynamodb.describe_table(TableName=name)["Table"])


def _wait(done: Callable[[], bool], what: str, most_s: float, tools: Tools) -> None:
    ends_at_s = time.monotonic() + most_s
    while not done():
        if time.monotonic() > ends_at_s:
            raise NotRestored(f"{what} was not ready after {most_s / 3600:g} hours: run this again later")
        time.sleep(tools.pause_s)


def _describe(name: str, dynamodb: Any) -> dict[str, Any] | None:
    try:
        return dict(dynamodb.describe_table(TableName=name)["Table"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise


def redeploy_local(session: Mapping[str, Any]) -> int:
    """Deploy the stacks of `make run` again, with the names that their tables have by now; return the exit status.

    Raise NotRestored or botocore's errors.
    """
    places = Places.of(session)
    client = partial(client_of, places=places)
    lanes = [stack_of(STACK_NAME, lane) for lane in lanes_of(STACK_NAME, client("cloudformation"))]
    try:
        with paused_lanes(STACK_NAME, client, pause_s=1):
            for built, stacks in ((BUILT_TEMPLATE, [STACK_NAME]), (BUILT_LANE, lanes)):
                for stack in stacks:
                    with name_local_release(built, places) as template:
                        sam_deploy(places, template, stack_name=stack, values={})
    except NotPaused as error:
        raise NotRestored(str(error)) from error
    except NotReady as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def redeploy_stage(stage: Stage, client: Client, *, run: Run, pause_s: float = 5) -> int:
    """Deploy a stage and its lanes again with the names that its tables have by now; return the exit status.

    Raise NotRestored or botocore's errors.
    """
    # Versions of before will have no rights on the table that they use, so calls move at once. Lanes, which are
    # deployed last, keep theirs, and would write to the first table without an error.
    overrides = {**stage.overrides, "GradualDeployment": "false"}
    try:
        with paused_lanes(stage.stack_name, client, pause_s=pause_s):
            return deploy_everything(replace(stage, overrides=overrides), client, first=False, run=run)
    except NotPaused as error:
        raise NotRestored(str(error)) from error


def bucket_of(opened: OpenedStack) -> str:
    """Return the bucket that SAM uploads to; raise NotRestored where there is none."""
    if opened.stage is None:
        return ARTIFACTS
    stack = find_stack(opened.client("cloudformation"), SAM_STACK)
    if stack is None:
        raise NotRestored(f"{SAM_STACK} is not there: deploy with make deploy first")
    return outputs_of(stack)["SourceBucket"]


def refuse_if_not_deployable(opened: OpenedStack, noun: str, moment: datetime) -> None:
    """Raise NotRestored where the deployment at the end would fail, or leave secrets that no function can open.

    The account's findings are printed. Raise botocore's errors.
    """
    stage, client = opened.stage, opened.client
    if stage is None:
        return
    if noun in TABLES_WITH_SECRETS and stage.parameter("SecretsWithoutKind") != "true":
        resealed_at = last_resealed(stage.stack_name, client("ssm"))
        if resealed_at is not None and moment < resealed_at:
            raise NotRestored(
                f"secrets of that time may be without a kind, since `make reseal` ended at {to_iso(resealed_at)} last: "
                "set SecretsWithoutKind=true in samconfig.toml, and after the restore run make reseal"
            )
    status = stack_status(stage, client("cloudformation"))
    findings = check(stage, client, status=status, edge_client=edge_clients_if_any(stage))
    if not report(findings):
        raise NotRestored("nothing is restored yet")


def read_moment(text: str) -> datetime:
    """Return a UTC time, `2026-11-29T18:00:00Z`; raise ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC).replace(microsecond=0)


def main(arguments: list[str], environment: Mapping[str, str], *, run: Run = run_in_root) -> int:
    """Restore the table that is named, and return the exit status."""
    try:
        moment = read_moment(environment.get("TIME", ""))
    except ValueError:
        print("say what and when: make restore STAGE=prod TABLE=users TIME=2026-11-29T18:00:00Z", file=sys.stderr)
        return 2

    def restore_table() -> int:
        try:
            restore_into(open_stack(arguments, environment), environment.get("TABLE", ""), moment, run=run)
        except NotRestored as error:
            print(f"{error}; run this again to go on", file=sys.stderr)
            return 1
        return 0

    return exit_status_of(restore_table, advice="; run this again to go on")


def restore_into(opened: OpenedStack, noun: str, moment: datetime, *, run: Run) -> None:
    """Restore a table, by its noun, and let an opened stack use it; raise NotRestored or botocore's errors."""
    client, stack, template = opened.client, opened.stack_name, read_template()

    if opened.stage is not None:
        refuse_if_not_deployable(opened, noun, moment)

    def redeploy() -> int:
        if opened.stage is None:
            return redeploy_local(opened.session or {})
        return redeploy_stage(opened.stage, client, run=run)

    wanted = find(stack, noun, moment, client, template)
    restore(wanted, Tools(client, bucket_of(opened), redeploy, any_moment=opened.stage is None))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
