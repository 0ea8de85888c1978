"""Rights that docs/rights.yaml lists, compared with the code that each function can reach."""

from __future__ import annotations

import re
from functools import cache

import grimp
import pytest

from local.stack.deploy import read_template
from local.stack.places import ROOT
from tests.unit.function_rights import listed

FUNCTIONS = read_template()["Resources"]

BY_LAMBDA = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"} | {
    f"dynamodb:{action}" for action in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
}
"""What Lambda itself does with the rights of a function's role."""

CALLED_AS = {
    "sqs:ChangeMessageVisibility": "change_message_visibility_batch",
    # SES grants what is called `send_email` by these.
    "ses:SendEmail": "send_email",
    "ses:SendRawEmail": "send_email",
    # DynamoDB writes an export with the rights of the caller.
    **{
        f"s3:{action}": "export_table_to_point_in_time"
        for action in ("AbortMultipartUpload", "PutObject", "PutObjectAcl")
    },
}
"""How boto3 calls an action, where it is not by the action's own name."""


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("functions", "shared", cache_dir=None)


@cache
def reached_by(package: str) -> frozenset[str]:
    """Return the modules that a function's code imports, directly or not."""
    own = {package, *graph().find_descendants(package)}
    return frozenset(own | graph().find_upstream_modules(package, as_package=True))


@cache
def source_of(module: str) -> str:
    path = ROOT / module.replace(".", "/")
    file = path.with_suffix(".py")
    return (file if file.is_file() else path / "__init__.py").read_text(encoding="utf-8")


@cache
def modules_of_tables() -> dict[str, str]:
    """Return the module that has the model of each table, by the table's noun."""
    modules = graph().find_descendants("shared.models")
    return {
        noun: module
        for module in modules
        for noun in re.findall(r'table_name = TableName\("(\w+)"\)', source_of(module))
    }


def called_as(action: str) -> str:
    name = action.partition(":")[2]
    return CALLED_AS.get(action, re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower())


def names(module: str, action: str) -> bool:
    return re.search(rf"\b{called_as(action)}\b", source_of(module)) is not None


@pytest.mark.parametrize("function", sorted(listed()))
def test_no_function_has_a_right_that_its_code_cannot_use(function: str) -> None:
    package = str(FUNCTIONS[function]["Properties"]["CodeUri"]).strip("/").replace("/", ".")
    reached = reached_by(package)
    idle = set()
    for action, resource in sorted(listed()[function]):
        if action in BY_LAMBDA:
            continue
        noun = resource.partition("/")[0]
        if action.startswith("dynamodb:") and noun in modules_of_tables():
            used = modules_of_tables()[noun] in reached
        else:
            used = any(names(module, action) for module in reached)
        if not used:
            idle.add(f"{action} on {resource}")
    assert idle == set()


def test_right_on_a_table_that_no_code_of_the_function_names_is_found() -> None:
    assert modules_of_tables()["telegram_links"] not in reached_by("functions.report_unsubscribe")
    assert modules_of_tables()["users"] in reached_by("functions.report_unsubscribe")
    assert not any(names(module, "ses:SendEmail") for module in reached_by("functions.strategy_webhook"))
