"""What the functions of the stack have used of their rights and were denied, as the embedded AWS records it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from local.stack.deploy import client
from local.stack.places import STACK_NAME
from local.stack.running import Running

_ROLE = re.compile(r"-(\w+)Role-\w+$")
_NAMED = re.compile(rf"arn:aws:\w+:[\w-]+:\d+:(?:table/|parameter/)?{STACK_NAME}[-/](.+)")


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """An action of a function on a resource; the resource is named as docs/rights.yaml names it."""

    function: str
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.function}: {self.action} on {self.resource}"


@dataclass(slots=True)
class Rights:
    """The record of a running stack."""

    running: Running
    _lines: int = 0
    """How many lines were read."""
    _used: set[Use] = field(default_factory=set)
    _denied: list[Use] = field(default_factory=list)
    _logical_ids: dict[str, str] = field(default_factory=dict)

    def used(self) -> set[Use]:
        """Return all that was used so far."""
        self._read()
        return self._used

    def take_denials(self) -> list[Use]:
        """Return what was denied since the last call."""
        self._read()
        found, self._denied = self._denied, []
        return found

    def assert_none_denied(self) -> None:
        """Fail with function and action if one was denied since the last call."""
        denied = self.take_denials()
        assert denied == [], f"denied: {'; '.join(map(str, denied))}"

    def _read(self) -> None:
        lines = self.running.places.rights_record.read_text(encoding="ascii").splitlines()
        for line in lines[self._lines :]:
            entry = json.loads(line)
            found = _ROLE.search(entry["role"])
            function = found[1] if found else entry["function"]
            use = Use(function, entry["action"], self._name(entry["resource"], entry.get("kind")))
            if entry["allowed"]:
                self._used.add(use)
            else:
                self._denied.append(use)
        self._lines = len(lines)

    def _name(self, arn: str, kind: str | None) -> str:
        if named := _NAMED.fullmatch(arn):
            return named[1].split("/stream/")[0]
        last = arn.rsplit("/", maxsplit=1)[-1]
        if last not in self._logical_ids:
            self._logical_ids |= dict(self._resources())
        name = self._logical_ids.get(last, last)
        return f"{name} {kind}" if kind else name

    def _resources(self) -> Iterator[tuple[str, str]]:
        pages = client("cloudformation", self.running.places).get_paginator("list_stack_resources")
        for page in pages.paginate(StackName=STACK_NAME):
            for one in page["StackResourceSummaries"]:
                yield one["PhysicalResourceId"], one["LogicalResourceId"]
