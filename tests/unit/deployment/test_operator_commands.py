"""What operators type where the API cannot: the same records and messages as by the API."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from local.deployment import halts, maintenance, redrive
from local.deployment.account import OpenedStack
from local.deployment.restored_tables import usual_names
from local.stack.deploy import read_template
from local.stack.places import ROOT
from shared import dead_letters
from shared.clock import utc_now
from shared.models.trading_switch import TradingSwitch
from tests.environment import environment
from tests.unit.in_process_aws import aws_client

STACK = "lockstep"
TEMPLATE = read_template()
PRINTED = re.findall(
    r"^make (halt|resume|maintenance|redrive) (.*)$",
    (ROOT / "docs/operations.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
RESTORED = f"{STACK}-trading_switches-20261129T180000"
"""The table of halts was restored: the stack has it under another name than the usual one."""
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
KEYS = {"trading_switches": "scope", "strategies": "id", "egress_lanes": "lane"}
STRATEGY = "0b0d2a5c-3f5e-4a57-9f35-7d1f5b1c6a10"


def table(noun: str, key: str) -> dict[str, Any]:
    return {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "TableName": RESTORED if noun == "trading_switches" else f"{STACK}-{noun}",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        },
    }


@pytest.fixture(autouse=True)
def deployed(moto: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(halts, "read_template", lambda: TEMPLATE)
    monkeypatch.setattr(dead_letters, "_SEARCHED_FOR_S", 0)
    resources: dict[str, Any] = {
        logical_id: table(noun, KEYS[noun])
        for logical_id, (noun, _) in usual_names(TEMPLATE, STACK).items()
        if noun in KEYS
    }
    resources["Switch"] = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": f"/{STACK}/maintenance", "Type": "String", "Value": "off"},
    }
    outputs = {"MaintenanceParameterName": {"Value": {"Ref": "Switch"}}}
    aws_client("cloudformation").create_stack(
        StackName=STACK, TemplateBody=json.dumps({"Resources": resources, "Outputs": outputs})
    )
    aws_client("dynamodb").put_item(TableName=f"{STACK}-strategies", Item={"id": {"S": STRATEGY}})
    with environment(TABLE_PREFIX=f"{STACK}-", RESTORED_TABLES=f"trading_switches={RESTORED}"):
        yield


def run(module: Any, given: dict[str, str], *, status: int = 0) -> str:
    said: list[str] = []
    variables = dict(given)
    resumes = {"resumes": variables.pop("VERB") == "resume"} if module is halts else {}
    found = module.run(OpenedStack(STACK, aws_client), variables, write=lambda text: said.append(str(text)), **resumes)
    assert found == status, said
    return "\n".join(said)


def halt(scope: str, reason: str = "exchange incident", *, status: int = 0) -> str:
    return run(halts, {"VERB": "halt", "SCOPE": scope, "REASON": reason}, status=status)


def resume(scope: str, *, status: int = 0) -> str:
    return run(halts, {"VERB": "resume", "SCOPE": scope}, status=status)


def stored(scope: str) -> dict[str, Any]:
    key = {"scope": {"S": scope}}
    item: dict[str, Any] = aws_client("dynamodb").get_item(TableName=RESTORED, Key=key)["Item"]
    return item


def without_times(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in {"updated_at", "halted_at"}}


@pytest.mark.parametrize("scope", ["ALL", f"strategy#{STRATEGY}", "lane#lane-1"])
def test_a_halt_by_hand_is_the_record_of_the_api(scope: str) -> None:
    text = scope.replace("#", ":")
    said = halt(text)
    assert text in said
    assert "exchange incident" in said
    by_hand = stored(scope)
    TradingSwitch(scope).delete()
    TradingSwitch.halt_by_operator(scope, reason="exchange incident")
    assert without_times(stored(scope)) == without_times(by_hand)
    assert by_hand.keys() == stored(scope).keys()

    assert resume(text).endswith("entries are permitted")
    resumed = stored(scope)
    TradingSwitch.halt_by_operator(scope, reason="again")
    TradingSwitch.resume(scope)
    assert without_times(stored(scope)) == without_times(resumed)
    assert stored(scope).keys() == resumed.keys()


def test_commands_can_be_repeated() -> None:
    halt("ALL")
    since = TradingSwitch.get("ALL").halted_at
    halt("ALL", "it lasts")
    switch = TradingSwitch.get("ALL")
    assert (switch.halted_at, switch.reason) == (since, "it lasts")
    resume("ALL")
    before = stored("ALL")
    assert "as they were before" in resume("ALL")
    assert stored("ALL") == before


@pytest.mark.parametrize("scope", ["", "all of it", "lane-1", "lane:lane-99", "strategy:1"])
def test_a_scope_that_is_none_is_refused(scope: str) -> None:
    for said in (halt(scope, status=2), resume(scope, status=2)):
        assert "SCOPE=ALL" in said


@pytest.mark.parametrize("scope", ["strategy:6c1e7f0a-2a6c-4a53-8f5e-95d0c1b3a7e2", "lane:lane-2"])
def test_what_is_not_there_is_named_and_nothing_is_halted(scope: str) -> None:
    assert "nothing is changed" in halt(scope, status=1)
    assert aws_client("dynamodb").scan(TableName=RESTORED)["Count"] == 0


@pytest.mark.parametrize("reason", ["", "  ", "a" * 201])
def test_a_halt_needs_a_reason(reason: str) -> None:
    assert "REASON" in halt("ALL", reason, status=2)
    assert aws_client("dynamodb").scan(TableName=RESTORED)["Count"] == 0


def test_a_further_lane_is_halted() -> None:
    aws_client("dynamodb").put_item(TableName=f"{STACK}-egress_lanes", Item={"lane": {"S": "lane-2"}})
    halt("lane:lane-2")
    assert TradingSwitch.get("lane#lane-2").halted


def test_a_halt_that_a_worker_made_is_resumed_and_the_time_counts_from_then() -> None:
    TradingSwitch.halt("lane#lane-1", reason="MASS_REFUSAL")
    before = utc_now()
    resume("lane:lane-1")
    switch = TradingSwitch.get("lane#lane-1")
    assert not switch.halted
    assert (switch.updated_at - before).total_seconds() > -0.001


@pytest.mark.parametrize("value", ["on", "off"])
def test_maintenance_is_set(value: str) -> None:
    said = run(maintenance, {value.upper(): "1"})
    assert f"maintenance is {value}" in said
    assert aws_client("ssm").get_parameter(Name=f"/{STACK}/maintenance")["Parameter"]["Value"] == value


@pytest.mark.parametrize("variables", [{}, {"ON": "1", "OFF": "1"}, {"ON": "yes"}])
def test_maintenance_needs_one_of_both(variables: dict[str, str]) -> None:
    assert "ON=1 or OFF=1" in run(maintenance, variables, status=2)
    assert aws_client("ssm").get_parameter(Name=f"/{STACK}/maintenance")["Parameter"]["Value"] == "off"


def make_queue(name: str, *, with_dead_letters: bool = True) -> tuple[str, str]:
    """Return the URLs of a queue and of its dead letters."""
    sqs = aws_client("sqs")
    fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    base, dot, suffix = f"{STACK}-{name}".partition(".")
    dead = sqs.create_queue(QueueName=f"{base}-dead-letters{dot}{suffix}", Attributes=fifo)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 10})
    attributes = fifo | ({"RedrivePolicy": policy} if with_dead_letters else {})
    return sqs.create_queue(QueueName=f"{base}{dot}{suffix}", Attributes=attributes)["QueueUrl"], dead


def bodies(url: str) -> list[str]:
    found: list[str] = []
    sqs = aws_client("sqs")
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_dead_letters_are_sent_back_once_each() -> None:
    queue, dead = make_queue("notices")
    for number in range(23):
        aws_client("sqs").send_message(QueueUrl=dead, MessageBody=str(number))
    assert run(redrive, {"QUEUE": "notices"}) == "notices: 23 sent back, 0 left"
    assert run(redrive, {"QUEUE": "notices"}) == "notices: 0 sent back, 0 left"
    assert sorted(map(int, bodies(queue))) == list(range(23))


def test_dead_letters_of_a_lane_keep_group_and_order() -> None:
    queue, dead = make_queue("lane-2-orders.fifo")
    for number in range(12):
        aws_client("sqs").send_message(
            QueueUrl=dead, MessageBody=str(number), MessageGroupId="key", MessageDeduplicationId=str(number)
        )
    assert run(redrive, {"QUEUE": "lane-2-orders"}) == "lane-2-orders.fifo: 12 sent back, 0 left"
    assert bodies(queue) == [str(number) for number in range(12)]


@pytest.mark.parametrize(("queue", "status"), [("", 2), ("trade-events", 2), ("orders.fif", 2), ("orders.fifo", 1)])
def test_a_queue_that_is_none_is_named(queue: str, status: int) -> None:
    assert queue in run(redrive, {"QUEUE": queue}, status=status) or status == 2


def test_a_queue_without_dead_letters_is_named() -> None:
    make_queue("reports", with_dead_letters=False)
    assert "no dead-letter queue" in run(redrive, {"QUEUE": "reports"}, status=1)


MODULES = {"halt": halts, "resume": halts, "maintenance": maintenance, "redrive": redrive}


@pytest.mark.parametrize("line", [" ".join(one) for one in PRINTED])
def test_commands_of_the_page_work_as_printed(line: str) -> None:
    verb, *given = shlex.split(line.replace("<STRATEGY_ID>", STRATEGY))
    variables = dict(one.split("=", 1) for one in given)
    recipe = re.search(rf"^{verb}:.*\n\t@\$\(BIN\)/python -m (\S+)(.*) \$\(STAGE\)$", MAKEFILE, re.MULTILINE)
    assert recipe is not None
    assert recipe[1] == MODULES[verb].__name__
    assert recipe[2].strip() == (verb if MODULES[verb] is halts else "")
    assert variables.pop("STAGE") == "prod"
    if verb == "redrive":
        make_queue(variables["QUEUE"])
    run(MODULES[verb], variables | ({"VERB": verb} if MODULES[verb] is halts else {}))


def test_the_page_prints_every_command() -> None:
    assert {verb for verb, _ in PRINTED} == MODULES.keys()
    assert len(PRINTED) >= 6
