"""The commands in docs/operations.md: they are about the tables that the stack uses, restored ones too."""

from __future__ import annotations

import re

from local.stack.deploy import read_template
from local.stack.places import ROOT

TEXT = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def test_commands_ask_the_stack_for_the_name_of_a_table() -> None:
    tables = [name for name, one in read_template()["Resources"].items() if one["Type"] == "AWS::DynamoDB::Table"]
    named = re.findall(r"--table-name (\S+)", TEXT)
    asked = re.findall(r'--table-name "\$\(table (\w+)\)"', TEXT)
    assert len(named) == len(asked) > 0
    assert set(asked) <= set(tables)


def test_commands_that_are_given_the_tables_prefix_are_given_the_restored_names_too() -> None:
    assert TEXT.count("`TABLE_PREFIX`") == TEXT.count("`TABLE_PREFIX`, `RESTORED_TABLES`") > 0


MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PRINTED = sorted(set(re.findall(r"(?:^|[$(`])(make [a-z-]+(?: [A-Z_]+=(?:'[^']*'|[^\s`)]+))*)", TEXT, re.MULTILINE)))


def test_commands_of_the_page_are_those_of_the_makefile_and_name_its_variables() -> None:
    helps = dict(re.findall(r"^([a-z-]+):.*## (.*)$", MAKEFILE, re.MULTILINE))
    taken_by_all = {"PORT"}
    for line in PRINTED:
        _, target, *variables = re.findall(r"(?:'[^']*'|\S)+", line)
        assert target in helps, line
        names = {one.partition("=")[0] for one in variables}
        told = set(re.findall(r"[A-Z_]{2,}(?=[=|) ]|$)", helps[target])) | set(re.findall(r"\b([A-Z])=", helps[target]))
        assert names <= told | taken_by_all, (line, names - told)


def test_no_emergency_needs_a_record_written_by_hand() -> None:
    assert "put-item" not in TEXT
