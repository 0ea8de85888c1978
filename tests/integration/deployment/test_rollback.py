"""`make rollback` against the embedded AWS: what is called before and after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest

from local.deployment import rollback
from local.deployment.deploy import settle_versions, tidy_after_failure
from local.deployment.releases import Release
from local.deployment.versions import KEPT, Function, functions_of, return_to_deployed
from tests.integration.deployment.small_stack import called_release, client_of, deploy, resources_of

FIRST, SECOND, THIRD = Release("aaaaaaaaaaaa"), Release("bbbbbbbbbbbb"), Release("cccccccccccc")


class Deployed:
    """A stack of two functions, and one of a lane."""

    def __init__(self, url: str) -> None:
        self.client = client_of(url)
        self.stack = f"small-{uuid4().hex[:8]}"

    def release(self, release: Release, *, functions: tuple[str, ...] = ("Sender", "Reader")) -> None:
        resources: dict[str, Any] = {}
        for function in functions:
            resources |= resources_of(function, release)
        deploy(self.client, self.stack, resources)
        deploy(self.client, f"{self.stack}-lane-2", resources_of("LaneExecutor", release))

    def finish(self, release: Release) -> int:
        """Deploy a release to the end, as `make deploy` does."""
        known = self.client("cloudformation").describe_stacks()["Stacks"]
        before = self.functions() if any(one["StackName"] == self.stack for one in known) else []
        self.release(release)
        return settle_versions(self.stack, self.client, release.name, before)

    def fail(self, release: Release) -> None:
        """Leave what a deployment leaves that CloudFormation took back: versions of it, and all else as it was."""
        awslambda = self.client("lambda")
        for function in self.functions():
            now = awslambda.get_function_configuration(FunctionName=function.name)["Description"]
            for description in (release.describe(), now):
                awslambda.update_function_configuration(FunctionName=function.name, Description=description)
                if description != now:
                    awslambda.publish_version(FunctionName=function.name)

    def take_back(self) -> None:
        """Point the aliases at the stacks' versions, as CloudFormation does at the end of a failed deployment."""
        return_to_deployed(self.functions(), self.client)

    def functions(self) -> list[Function]:
        return functions_of(self.stack, self.client)

    def kept(self) -> set[str]:
        """Return the names of the releases that have versions."""
        return {version.release.name for one in self.functions() for version in one.versions if version.release}

    def called(self) -> set[str]:
        return {called_release(self.client, one.name) for one in functions_of(self.stack, self.client)}

    def roll_back(self, **environment: str) -> tuple[int, str]:
        told: list[str] = []
        status = rollback.run(self.stack, self.client, environment, write=lambda line: told.append(str(line)))
        return status, "\n".join(told)


@pytest.fixture
def deployed(ministack: str) -> Iterator[Deployed]:
    deployed = Deployed(ministack)
    yield deployed
    for stack in (f"{deployed.stack}-lane-2", deployed.stack):
        deployed.client("cloudformation").delete_stack(StackName=stack)


def test_rollback_calls_the_release_before_in_every_stack_and_can_be_taken_back(deployed: Deployed) -> None:
    deployed.release(FIRST)
    deployed.release(SECOND)
    assert deployed.called() == {SECOND.name}

    status, told = deployed.roll_back()

    assert status == 0
    assert deployed.called() == {FIRST.name}
    assert f"from release {SECOND.name} to {FIRST.name}, 3 functions" in told
    assert "not rolled back: records and messages" in told

    assert deployed.roll_back(RELEASE=SECOND.name)[0] == 0
    assert deployed.called() == {SECOND.name}


def test_rollback_that_was_interrupted_goes_on(deployed: Deployed) -> None:
    deployed.release(FIRST)
    deployed.release(SECOND)
    way = rollback.plan(functions_of(deployed.stack, deployed.client))
    rollback.roll_back(rollback.Plan(way.since, way.to, way.moves[:1], way.without), deployed.client)
    assert deployed.called() == {FIRST.name, SECOND.name}

    assert deployed.roll_back()[0] == 0

    assert deployed.called() == {FIRST.name}


def test_function_that_the_later_release_added_stays_and_is_named(deployed: Deployed) -> None:
    deployed.release(FIRST, functions=("Sender",))
    deployed.release(SECOND)

    status, told = deployed.roll_back()

    assert status == 0
    assert deployed.called() == {FIRST.name, SECOND.name}
    (line,) = [one for one in told.splitlines() if "stays at" in one]
    assert "Reader" in line


def test_next_deployment_keeps_few_versions_and_calls_its_own(deployed: Deployed) -> None:
    releases = [Release(f"{number}" * 12) for number in range(KEPT + 1)]
    for release in releases:
        deployed.release(release)
    assert deployed.roll_back()[0] == 0

    assert settle_versions(deployed.stack, deployed.client, releases[-1].name, deployed.functions()) == 0

    assert deployed.called() == {releases[-1].name}
    assert deployed.kept() == {one.name for one in releases[1:]}
    assert deployed.roll_back()[0] == 0
    assert deployed.called() == {releases[-2].name}


def test_rollback_passes_over_a_release_whose_deployment_failed(deployed: Deployed) -> None:
    assert deployed.finish(FIRST) == 0
    deployed.fail(SECOND)
    deployed.release(THIRD)
    assert deployed.kept() == {FIRST.name, SECOND.name, THIRD.name}
    status, told = deployed.roll_back(RELEASE=SECOND.name)
    assert status == 1
    assert f"release {SECOND.name} was not deployed to the end" in told
    assert settle_versions(deployed.stack, deployed.client, THIRD.name, []) == 0

    assert deployed.kept() == {FIRST.name, THIRD.name}
    assert deployed.roll_back()[0] == 0
    assert deployed.called() == {FIRST.name}


def test_release_that_was_left_by_a_rollback_is_not_the_one_before_the_next(deployed: Deployed) -> None:
    for release in (FIRST, SECOND):
        assert deployed.finish(release) == 0
    assert deployed.roll_back()[0] == 0
    assert deployed.finish(THIRD) == 0

    assert deployed.roll_back()[0] == 0

    assert deployed.called() == {FIRST.name}
    assert deployed.roll_back(RELEASE=SECOND.name)[0] == 0


def test_failed_deployment_leaves_no_versions(deployed: Deployed) -> None:
    assert deployed.finish(FIRST) == 0
    deployed.fail(SECOND)

    tidy_after_failure(deployed.stack, deployed.client, deployed.functions())

    assert deployed.kept() == {FIRST.name}
    assert deployed.called() == {FIRST.name}


def test_failed_deployment_after_a_rollback_does_not_bring_back_what_was_left(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    for release in (FIRST, SECOND):
        assert deployed.finish(release) == 0
    assert deployed.roll_back()[0] == 0
    before = deployed.functions()
    deployed.fail(THIRD)
    deployed.take_back()
    assert deployed.called() == {SECOND.name}

    tidy_after_failure(deployed.stack, deployed.client, before)

    assert deployed.called() == {FIRST.name}
    assert deployed.kept() == {FIRST.name, SECOND.name}
    assert capsys.readouterr().out.count("CloudFormation had gone back to 2, 1 is called again") == 3


def test_stack_that_was_deployed_before_another_failed_keeps_its_release(deployed: Deployed) -> None:
    for release in (FIRST, SECOND):
        assert deployed.finish(release) == 0
    assert deployed.roll_back()[0] == 0
    before = deployed.functions()
    deploy(deployed.client, deployed.stack, resources_of("Sender", THIRD) | resources_of("Reader", THIRD))
    deployed.take_back()

    tidy_after_failure(deployed.stack, deployed.client, before)

    called = {one.name: called_release(deployed.client, one.name) for one in deployed.functions()}
    assert sorted(called.values()) == sorted([THIRD.name, THIRD.name, FIRST.name])
    assert [release for name, release in called.items() if "LaneExecutor" in name] == [FIRST.name]


def test_declined_deployment_moves_nothing_and_counts_as_none(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    for release in (FIRST, SECOND):
        assert deployed.finish(release) == 0
    assert deployed.roll_back()[0] == 0

    assert settle_versions(deployed.stack, deployed.client, THIRD.name, deployed.functions()) == 1

    assert f"release {THIRD.name} is not deployed" in capsys.readouterr().err
    assert deployed.called() == {FIRST.name}


def test_what_later_messages_or_records_would_break_is_refused_until_forced(deployed: Deployed) -> None:
    deployed.release(FIRST)
    deployed.release(Release(SECOND.name, messages=2, records=3))

    status, told = deployed.roll_back()

    assert status == 1
    assert deployed.called() == {SECOND.name}
    assert "messages have version 2, and release aaaaaaaaaaaa knows 1" in told
    assert "records have version 3" in told
    assert deployed.roll_back(FORCE="1")[0] == 0
    assert deployed.called() == {FIRST.name}


class StacksUnderWay:
    """CloudFormation's client, for which a stack has another status; it keeps which updates were cancelled."""

    def __init__(self, cloudformation: Any, status: Mapping[str, str]) -> None:
        self.cancelled: list[str] = []
        self._cloudformation = cloudformation
        self._status = status

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._cloudformation, operation)

    def describe_stacks(self, StackName: str) -> Any:  # noqa: N803 - boto3's name
        found = self._cloudformation.describe_stacks(StackName=StackName)
        for stack in found["Stacks"]:
            stack["StackStatus"] = self._status.get(StackName, stack["StackStatus"])
        return found

    def cancel_update_stack(self, StackName: str) -> None:  # noqa: N803 - boto3's name
        self.cancelled.append(StackName)


@pytest.mark.parametrize(
    ("suffix", "status", "cancels", "told_of"),
    [
        ("", "UPDATE_IN_PROGRESS", True, "is being deployed: cancelled"),
        ("-lane-2", "UPDATE_IN_PROGRESS", True, "is being deployed: cancelled"),
        ("", "UPDATE_ROLLBACK_IN_PROGRESS", False, "is UPDATE_ROLLBACK_IN_PROGRESS: nothing can be moved"),
    ],
)
def test_rollback_during_a_deployment_stops_it_and_moves_nothing_itself(
    deployed: Deployed, suffix: str, status: str, told_of: str, *, cancels: bool
) -> None:
    for release in (FIRST, SECOND):
        assert deployed.finish(release) == 0
    busy = f"{deployed.stack}{suffix}"
    plain = deployed.client
    stacks = StacksUnderWay(plain("cloudformation"), {busy: status})
    deployed.client = lambda service: stacks if service == "cloudformation" else plain(service)

    exit_status, told = deployed.roll_back()

    assert exit_status == 1
    assert f"{busy} {told_of}" in told
    assert stacks.cancelled == ([busy] if cancels else [])
    assert deployed.called() == {SECOND.name}


def test_rollback_goes_on_while_cloudformation_deletes_what_it_has_replaced(deployed: Deployed) -> None:
    for release in (FIRST, SECOND):
        assert deployed.finish(release) == 0
    plain = deployed.client
    stacks = StacksUnderWay(plain("cloudformation"), {deployed.stack: "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"})
    deployed.client = lambda service: stacks if service == "cloudformation" else plain(service)

    assert deployed.roll_back()[0] == 0
    assert deployed.called() == {FIRST.name}


def test_calls_that_are_divided_between_versions_need_a_named_release(deployed: Deployed) -> None:
    for release in (FIRST, SECOND):
        assert deployed.finish(release) == 0
    assert deployed.roll_back()[0] == 0
    for function in deployed.functions():
        deployed.client("lambda").update_alias(
            FunctionName=function.name, Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}}
        )

    status, told = deployed.roll_back()
    assert status == 1
    assert "divide their calls between two versions" in told

    assert deployed.roll_back(RELEASE=FIRST.name)[0] == 0
    assert not any(one.shares for one in deployed.functions())
    assert {one.live.number for one in deployed.functions()} == {1}


@pytest.mark.parametrize(
    ("environment", "reason"),
    [({}, "no earlier version is kept"), ({"RELEASE": THIRD.name}, f"no version of release {THIRD.name} is kept")],
)
def test_way_that_does_not_exist_is_told_and_nothing_moves(
    deployed: Deployed, environment: Mapping[str, str], reason: str
) -> None:
    deployed.release(FIRST)

    status, told = deployed.roll_back(**environment)

    assert status == 1
    assert reason in told
    assert deployed.called() == {FIRST.name}
