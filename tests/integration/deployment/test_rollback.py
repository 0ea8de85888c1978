"""`make rollback` against the embedded AWS: what is called before and after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest

from local.deployment import rollback
from local.deployment.releases import Release
from local.deployment.versions import KEPT, delete_old_versions, functions_of, return_to_deployed
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
    releases = [Release(f"{number}" * 12) for number in range(5)]
    for release in releases:
        deployed.release(release)
    assert deployed.roll_back()[0] == 0

    functions = functions_of(deployed.stack, deployed.client)
    assert len(return_to_deployed(functions, deployed.client)) == 3
    assert deployed.called() == {releases[-1].name}
    assert delete_old_versions(functions_of(deployed.stack, deployed.client), deployed.client) == 3 * (5 - KEPT)
    assert deployed.roll_back()[0] == 0
    assert deployed.called() == {releases[-2].name}


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
