"""What `make audit` makes of the tools' reports, and what it says where a tool cannot be had."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from local.deployment import audit
from local.deployment.audit import Accepted, Finding, NotAudited, find_advisories, find_weak_resources, judge
from local.stack.places import ROOT


def writing(report: Any, name: str = "") -> audit.Run:
    """Return a tool that writes this report where it is told to."""

    def run(tool: str, arguments: Sequence[str]) -> int:
        Path(arguments[-1], name).write_text(json.dumps(report))
        return 0

    return run


def missing(tool: str, arguments: Sequence[str]) -> int:
    """Be a tool that cannot be had."""
    return 2


def test_advisories_about_packages_are_found() -> None:
    report = {
        "dependencies": [
            {"name": "good", "version": "1", "vulns": []},
            {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1"}, {"id": "PYSEC-2"}]},
            {"name": "unknown", "skip_reason": "not found"},
        ]
    }
    assert find_advisories(writing(report)) == [Finding("PYSEC-1", "bad", "2"), Finding("PYSEC-2", "bad", "2")]


def test_report_in_which_every_package_was_skipped_is_no_audit() -> None:
    report = {
        "dependencies": [{"name": "one", "skip_reason": "not found"}, {"name": "two", "skip_reason": "not found"}]
    }
    with pytest.raises(NotAudited, match="nobody answers"):
        find_advisories(writing(report))


def test_resources_that_break_a_rule_are_found() -> None:
    failed = {"check_id": "CKV_1", "check_name": "Be good", "file_path": "/lane.yaml", "resource": "AWS::SQS::Queue.Q"}
    report = {"results": {"failed_checks": [failed]}}
    assert find_weak_resources(writing(report, "results_json.json")) == [
        Finding("CKV_1", "lane.yaml AWS::SQS::Queue.Q", "Be good")
    ]


@pytest.mark.parametrize("find", [find_advisories, find_weak_resources])
def test_tool_that_cannot_be_had_is_no_audit(find: Callable[[audit.Run], list[Finding]]) -> None:
    with pytest.raises(NotAudited, match="cannot be had"):
        find(missing)


def test_finding_is_told_unless_its_rule_is_accepted_for_its_subject() -> None:
    accepted = [Accepted("CKV_1", ("template.yaml AWS::SQS::*",), "for a reason")]
    queue = Finding("CKV_1", "template.yaml AWS::SQS::Queue.Q", "Be good")
    others = [
        Finding("CKV_2", "template.yaml AWS::SQS::Queue.Q", "Be good"),
        Finding("CKV_1", "template.yaml AWS::SNS::Topic.T", "Be good"),
        Finding("CKV_1", "lane.yaml AWS::SQS::Queue.Q", "Be good"),
    ]
    assert list(judge([queue], accepted)) == []
    assert len(list(judge([queue, *others], accepted))) == len(others)


def test_entry_that_accepts_nothing_any_more_is_told() -> None:
    (line,) = judge([], [Accepted("CKV_1", ("template.yaml AWS::SQS::*",), "for a reason")])
    assert "CKV_1" in line


def test_every_accepted_finding_has_a_reason() -> None:
    accepted = [*audit.read_accepted("template"), *audit.read_accepted("advisory")]
    assert accepted
    for entry in accepted:
        assert entry.subjects, entry.rule
        assert len(entry.reason.split()) >= 5, entry.rule
    assert len({entry.rule for entry in accepted}) == len(accepted)


def test_what_is_skipped_is_said_in_a_line_and_fails_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(missing) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[2].split(",")[0] for line in lines] == [" skipped", " skipped"]


def test_finding_that_is_to_be_told_only_fails_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    report = {"dependencies": [{"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1"}]}]}
    run = writing(report)
    told = frozenset({"advisory"})
    assert (
        audit.main(lambda tool, arguments: run(tool, arguments) if tool == audit.PIP_AUDIT else 2, told_only=told) == 0
    )
    assert "  PYSEC-1: bad: 2" in capsys.readouterr().out.splitlines()


def test_what_must_hold_before_a_change_goes_in_includes_the_audit() -> None:
    commands = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert commands[-2:] == ["make test", "ADVISORIES=told make audit"]
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    assert "sam validate --lint" in lint
    assert "cfn-lint template.yaml lane.yaml edge.yaml" in lint


def test_finding_that_is_not_accepted_fails(capsys: pytest.CaptureFixture[str]) -> None:
    report = {"dependencies": [{"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1"}]}]}
    run = writing(report)
    assert audit.main(lambda tool, arguments: run(tool, arguments) if tool == audit.PIP_AUDIT else 2) == 1
    assert "  PYSEC-1: bad: 2" in capsys.readouterr().out.splitlines()
