"""Forbids entries where the API cannot: `make halt STAGE=prod SCOPE=ALL REASON=…`; `make resume` permits them again.

It writes the record that every entry reads. Without a stage it acts on the stack of `make run`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.deployment.account import OpenedStack, open_stack
from local.deployment.command import exit_status_of
from local.deployment.restored_tables import read_restored
from local.stack.deploy import read_template
from shared.api.halt_scopes import lane_of, parse_scope, strategy_of, write_scope
from shared.clock import to_iso
from shared.models.base import SCHEMA_VERSION
from shared.models.trading_switch import HALTED
from shared.trading.lane_choice import FIRST_LANE

WRONG_SCOPE = "name what to halt: SCOPE=ALL, SCOPE=strategy:<id> or SCOPE=lane:lane-1"
LONGEST_REASON = 200


class NotPossible(Exception):
    """There is nothing of that name; the text says what."""


@dataclass(frozen=True, slots=True)
class Switches:
    """The halts of a deployed stack."""

    opened: OpenedStack
    restored: Mapping[str, str]

    @classmethod
    def of(cls, opened: OpenedStack) -> Switches:
        """Return those of a stack; raise botocore's errors."""
        restored = read_restored(read_template(), opened.stack_name, opened.client("cloudformation"))
        return cls(opened, restored)

    def require_known(self, scope: str) -> None:
        """Raise NotPossible for a strategy or a lane that is not there."""
        strategy_id, lane = strategy_of(scope), lane_of(scope)
        if strategy_id is not None and not self._exists("strategies", {"id": {"S": strategy_id}}):
            raise NotPossible(f"no strategy {strategy_id}")
        if lane not in (None, FIRST_LANE) and not self._exists("egress_lanes", {"lane": {"S": str(lane)}}):
            raise NotPossible(f"no lane {lane}")

    def halt(self, scope: str, *, reason: str, now: datetime) -> str:
        """Halt entries in a scope, and return since when it is halted."""
        changed = self._dynamodb.update_item(
            **self._record(scope),
            UpdateExpression=(
                "SET halted = :yes, reason = :reason, updated_at = :now, halted_at = if_not_exists(halted_at, :now), "
                "listed = :listed, schema_version = :version"
            ),
            ExpressionAttributeValues={
                ":yes": {"BOOL": True},
                ":reason": {"S": reason},
                ":now": {"S": to_iso(now)},
                ":listed": {"S": HALTED},
                ":version": {"N": str(SCHEMA_VERSION)},
            },
            ReturnValues="ALL_NEW",
        )
        return str(changed["Attributes"]["halted_at"]["S"])

    def resume(self, scope: str, *, now: datetime) -> bool:
        """Permit entries in a scope; return whether they were halted."""
        dynamodb = self._dynamodb
        try:
            dynamodb.update_item(
                **self._record(scope),
                UpdateExpression=(
                    "SET halted = :no, reason = :none, updated_at = :now, schema_version = :version "
                    "REMOVE halted_at, listed"
                ),
                ConditionExpression="halted = :yes",
                ExpressionAttributeValues={
                    ":yes": {"BOOL": True},
                    ":no": {"BOOL": False},
                    ":none": {"S": ""},
                    ":now": {"S": to_iso(now)},
                    ":version": {"N": str(SCHEMA_VERSION)},
                },
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _record(self, scope: str) -> dict[str, Any]:
        return {"TableName": self._name("trading_switches"), "Key": {"scope": {"S": scope}}}

    def _exists(self, noun: str, key: Mapping[str, Any]) -> bool:
        found = self._dynamodb.get_item(TableName=self._name(noun), Key=key, ConsistentRead=True)
        return "Item" in found

    @property
    def _dynamodb(self) -> Any:
        return self.opened.client("dynamodb")

    def _name(self, noun: str) -> str:
        return self.restored.get(noun, f"{self.opened.stack_name}-{noun}")


def run(
    opened: OpenedStack, environment: Mapping[str, str], *, resumes: bool, write: Callable[[str], object] = print
) -> int:
    """Halt or resume what SCOPE names, and say so; return the exit status."""
    scope = parse_scope(environment.get("SCOPE", ""))
    reason = environment.get("REASON", "").strip()
    if scope is None:
        write(WRONG_SCOPE)
        return 2
    if not resumes and not 0 < len(reason) <= LONGEST_REASON:
        write(f"say why, in {LONGEST_REASON} characters at most: REASON='exchange incident'")
        return 2
    switches, now = Switches.of(opened), datetime.now(UTC)
    named = f"{opened.stack_name}: {write_scope(scope)}"
    try:
        switches.require_known(scope)
    except NotPossible as error:
        write(f"{named}: {error}; nothing is changed")
        return 1
    if resumes:
        was_halted = switches.resume(scope, now=now)
        write(f"{named}: entries are permitted" + ("" if was_halted else ", as they were before"))
    else:
        since = switches.halt(scope, reason=reason, now=now)
        write(f"{named}: no entry begins, since {since} ({reason}); exits go on")
    return 0


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Halt or resume, as the first argument says, on the stage that follows; return the exit status."""
    verb, stage = arguments[0], arguments[1:]
    return exit_status_of(lambda: run(open_stack(stage, environment), environment, resumes=verb == "resume"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
