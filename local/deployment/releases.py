"""Identifies what is deployed: a release is a hash of code and parameters, and versions of functions name theirs.

SAM publishes a version when a function's own properties or code change. It ignores the values of parameters, so the
release stands in the functions' description: it changes with whatever changes.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from local.deployment.restored_tables import read_restored, tables_of, write_names
from local.stack.build import fingerprint
from local.stack.deploy import client, read_template
from local.stack.places import STACK_NAME, Places
from local.stack.stacks import find
from shared.messages import VERSION
from shared.models.base import SCHEMA_VERSION

TEMPLATES = ("template.yaml", "lane.yaml")

_DIGITS = 12
_DESCRIPTION = re.compile(
    r"release (?P<name>\w+), messages (?P<messages>\d+), records (?P<records>\d+), tables (?P<tables>\w+)"
)


@dataclass(frozen=True, slots=True)
class Release:
    """What a version of a function is of."""

    name: str
    messages: int = VERSION
    """The version of the messages that it sends and reads."""
    records: int = SCHEMA_VERSION
    """The version of the records that it writes and reads."""
    tables: str = tables_of({})
    """Which tables it uses: the first ones, or restored ones."""

    @classmethod
    def read(cls, description: str) -> Release | None:
        """Return the release that a version's description names, or None."""
        found = _DESCRIPTION.match(description)
        return cls(found["name"], int(found["messages"]), int(found["records"]), found["tables"]) if found else None

    def describe(self, settings: Mapping[str, str] | None = None, *, attempt: str = "") -> str:
        """Return the description of a version.

        `settings` are parameters that other stacks of the release lack. `attempt` sets a repeated deployment apart from
        the one that failed.
        """
        text = f"release {self.name}, messages {self.messages}, records {self.records}, tables {self.tables}"
        text += f", settings {_digest(settings)}" if settings else ""
        return f"{text}, attempt {attempt}" if attempt else text


def attempt_after(status: str | None) -> str:
    """Return what sets a deployment apart from one that has left the stack in this status; empty if that succeeded.

    The functions of a failed deployment may be those of the next one. Lambda publishes no second version of what it has
    published last, and CloudFormation takes that for a failure.
    """
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S") if status == "UPDATE_ROLLBACK_COMPLETE" else ""


def release_of(parameters: Mapping[str, str], restored: Mapping[str, str] | None = None) -> Release:
    """Return the release of this working tree with these parameters of template.yaml and these restored tables."""
    tables = dict(restored or {})
    return Release(_digest([*map(fingerprint, TEMPLATES), dict(parameters), tables]), tables=tables_of(tables))


def describe_release(template: dict[str, Any], description: str) -> None:
    """Set the description of all functions of a template."""
    template["Globals"]["Function"]["Description"] = description


def write_release(built: Path, description: str, restored: Mapping[str, str]) -> None:
    """Write into a built template which release it is, and the names of restored tables."""
    template = write_names(read_template(str(built)), restored)
    describe_release(template, description)
    built.write_text(yaml.safe_dump(template, sort_keys=False, width=120), encoding="utf-8")


@contextmanager
def name_local_release(built: Path, places: Places) -> Iterator[Path]:
    """Give a copy of a template that is built for `make run`, which names its release and its stack's restored tables.

    Raise botocore's errors.
    """
    cloudformation = client("cloudformation", places)
    is_there = find(cloudformation, STACK_NAME) is not None
    restored = read_restored(read_template(), STACK_NAME, cloudformation) if is_there else {}
    copy = built.with_name(f"template-{places.ports.api}.yaml")
    shutil.copyfile(built, copy)
    try:
        write_release(copy, release_of({}, restored).describe(), restored)
        yield copy
    finally:
        copy.unlink()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:_DIGITS]
