"""Goes back to the release before: `make rollback STAGE=prod`, or to another that is kept: RELEASE=name.

It moves the aliases of all functions, the lanes' among them, to their versions of that release, which takes seconds. It
says what it does, and what stays as it is: records, messages, roles, queues and routes belong to the template, and go
back with `make deploy` of the earlier commit.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from local.deployment.account import open_stack
from local.deployment.command import exit_status_of
from local.deployment.finished import read_finished
from local.deployment.preflight import Client
from local.deployment.releases import Release
from local.deployment.versions import Function, Version, functions_of, point_alias, stacks_under_way

STAYS = """\
not rolled back: records and messages that the later release wrote; roles, queues, schedules, routes and alarms.
An earlier version runs with the later roles. If it lacks a right, or a route is missing, deploy the earlier commit:
git checkout <commit>, then make deploy."""


class NotPossible(Exception):
    """There is no way back to that release; the text says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which versions a rollback moves the aliases to."""

    since: Release
    to: Release
    moves: tuple[tuple[Function, Version], ...]
    without: tuple[Function, ...]
    """Functions that have no version of that release."""


def plan(functions: Iterable[Function], finished: Sequence[str] | None = None, *, wanted: str = "") -> Plan:
    """Return the way to a release, by default the one before that which is called now; raise NotPossible.

    `finished` has the releases that were deployed to the end, the one called last first. Where nothing is known of that
    (None), every release that has versions may be chosen, and their numbers tell which was before.
    """
    functions = list(functions)
    since = _newest_called(functions)
    before = _releases_before(functions, since) if finished is None else _finished_before(functions, since, finished)
    if not wanted and any(one.shares for one in functions):
        names = ", ".join(one.name for one in functions if one.shares)
        raise NotPossible(f"{names} divide their calls between two versions; name a release: RELEASE=name")
    if wanted and finished is not None and wanted not in finished:
        raise NotPossible(f"release {wanted} was not deployed to the end; those are: {', '.join(finished)}")
    if not wanted and len(before) != 1:
        found = f"functions differ ({', '.join(sorted(before))})" if before else "no earlier version is kept"
        raise NotPossible(f"which release came before {since.name} is not known: {found}; name one: RELEASE=name")
    name = wanted or before.pop()
    matches = [(one, one.version_of(name)) for one in functions]
    moves = [(function, version) for function, version in matches if version is not None]
    releases = {version.release for _, version in moves if version.release}
    if not releases:
        raise NotPossible(f"no version of release {name} is kept")
    return Plan(
        since=since,
        to=releases.pop(),
        moves=tuple((function, version) for function, version in moves if _has_to_move(function, version)),
        without=tuple(function for function, version in matches if version is None),
    )


def _has_to_move(function: Function, version: Version) -> bool:
    return function.shares or version.number != function.live.number


def _newest_called(functions: list[Function]) -> Release:
    called = [(one.live.published_at, one.live.release) for one in functions if one.live.release]
    if not called:
        raise NotPossible("no function is of a named release: the stack was not deployed by make deploy")
    _, release = max(called, key=lambda one: one[0])
    return release


def _releases_before(functions: list[Function], since: Release) -> set[str]:
    found = set()
    for function in functions:
        if function.live.release == since:
            earlier = (one.release for one in function.versions if one.number < function.live.number and one.release)
            found |= {release.name for release in [next((one for one in earlier if one != since), None)] if release}
    return found


def _finished_before(functions: list[Function], since: Release, finished: Sequence[str]) -> set[str]:
    # A deployment that ended between two stacks has the newest release, which is not among those that finished.
    later = finished.index(since.name) + 1 if since.name in finished else 0
    kept = (name for name in finished[later:] if any(one.version_of(name) for one in functions))
    return {name for name in [next(kept, None)] if name}


def refusal(way: Plan) -> str:
    """Return why the rollback could misread what is stored or queued, or an empty text."""
    changed = [
        f"{kind} have version {later}, and release {way.to.name} knows {earlier}"
        for kind, later, earlier in (
            ("messages", way.since.messages, way.to.messages),
            ("records", way.since.records, way.to.records),
        )
        if later > earlier
    ]
    if way.since.tables != way.to.tables:
        changed.append(f"a table was restored since, and release {way.to.name} uses the one before")
    return "; ".join(changed)


def roll_back(way: Plan, client: Client, *, write: Callable[[str], object] = print) -> None:
    """Move the aliases; a second run goes on where one was interrupted."""
    for function, version in way.moves:
        point_alias(function, version.number, client)
        write(f"  {function.name}: {function.live.number} -> {version.number}")


def stop_deployment(stack: str, client: Client, *, write: Callable[[str], object] = print) -> bool:
    """Cancel a deployment that is under way, and say so; return False if there is none.

    While calls move gradually, an alias names the release before already, so the release before that would be the wrong
    one; and CloudFormation would move an alias on that was moved here.
    """
    stacks = stacks_under_way(stack, client)
    busy = {name: status for name, status in stacks.items() if _moves_aliases(status)}
    for name, status in busy.items():
        if status == "UPDATE_IN_PROGRESS":
            client("cloudformation").cancel_update_stack(StackName=name)
            write(f"{name} is being deployed: cancelled, CloudFormation takes calls back to the release before")
        else:
            write(f"{name} is {status}: nothing can be moved before CloudFormation is done")
    if busy:
        write("run this again when CloudFormation is done, if another release than the one called then is wanted")
    return bool(busy)


def _moves_aliases(status: str) -> bool:
    # While it deletes what it has replaced, CloudFormation is done with the aliases.
    return status.endswith("_IN_PROGRESS") and not status.endswith("_CLEANUP_IN_PROGRESS")


def run(stack: str, client: Client, environment: Mapping[str, str], *, write: Callable[[str], object] = print) -> int:
    """Say what is done, and do it; return the exit status."""
    if stop_deployment(stack, client, write=write):
        return 1
    try:
        finished = read_finished(stack, client("ssm"))
        way = plan(functions_of(stack, client), finished, wanted=environment.get("RELEASE", ""))
    except NotPossible as error:
        write(str(error))
        return 1
    write(f"{stack}: from release {way.since.name} to {way.to.name}, {len(way.moves)} functions")
    for function in way.without:
        write(f"  {function.name} stays at {function.live.number}: it has no version of that release")
    if (reason := refusal(way)) and environment.get("FORCE") != "1":
        write(f"refused: {reason}. Read docs/operations.md (Rollback); FORCE=1 goes on all the same")
        return 1
    roll_back(way, client, write=write)
    write(STAYS)
    return 0


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Roll back the stage that is named, or the stack of `make run`, and return the exit status."""

    def go_back() -> int:
        opened = open_stack(arguments, environment)
        return run(opened.stack_name, opened.client, environment)

    return exit_status_of(go_back, advice="; run it again to go on")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
