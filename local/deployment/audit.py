"""Looks for known weaknesses: advisories about pinned packages, and rules of checkov on the templates (`make audit`).

Both tools run in environments of their own, which uv makes: their packages would clash with ours. Where a tool cannot
be had, or nobody answers about advisories, one line says that it was skipped. What is accepted stands with its reason
in accepted_findings.toml; an entry there that matches nothing any more is a failure too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from local.stack.places import ROOT, TOOLS

ACCEPTED = Path(__file__).with_name("accepted_findings.toml")
TEMPLATES = ("template.yaml", "lane.yaml", "edge.yaml")

CHECKOV = "checkov==3.3.30"
PIP_AUDIT = "pip-audit==2.10.1"
_CHECKOV_NAME = "results_json.json"
"""What checkov calls its report in the folder that is named."""

Run = Callable[[str, Sequence[str]], int]
"""Runs a tool, named with its version, with arguments; returns its exit status."""


class NotAudited(Exception):
    """A check could not be made; the text says why, in one line."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A weakness that a tool has found."""

    rule: str
    """An advisory's or a rule's id."""
    subject: str
    """A package, or a resource as `template.yaml AWS::SQS::Queue.OrdersQueue`."""
    text: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Findings that are accepted: a rule on subjects that match one of the patterns."""

    rule: str
    subjects: tuple[str, ...]
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Return whether the finding is one of these."""
        return finding.rule == self.rule and any(fnmatchcase(finding.subject, one) for one in self.subjects)


def read_accepted(kind: str) -> list[Accepted]:
    """Return what is accepted of one kind, `advisory` or `template`."""
    entries = tomllib.loads(ACCEPTED.read_text(encoding="utf-8")).get(kind, [])
    return [Accepted(one["rule"], tuple(one["subjects"]), one["reason"]) for one in entries]


def find_advisories(run: Run) -> list[Finding]:
    """Return the advisories about pinned packages; raise NotAudited where nobody answers."""
    arguments = ["--requirement", str(ROOT / "requirements.lock"), "--disable-pip", "--no-deps"]
    answer = _report(run, PIP_AUDIT, [*arguments, "--progress-spinner", "off", "--format", "json", "--output"])
    asked = [one for one in answer["dependencies"] if "vulns" in one]
    # Without a network pip-audit skips every package, and ends as if all were well.
    if not asked:
        raise NotAudited("nobody answers about advisories")
    return [Finding(bug["id"], one["name"], one["version"]) for one in asked for bug in one["vulns"]]


def find_weak_resources(run: Run) -> list[Finding]:
    """Return where the templates break checkov's rules; raise NotAudited where it cannot be had."""
    files = [argument for template in TEMPLATES for argument in ("--file", template)]
    arguments = ["--framework", "cloudformation", "--skip-download", "--quiet", "--compact", "--soft-fail"]
    answer = _report(run, CHECKOV, [*files, *arguments, "--output", "json", "--output-file-path"], name=_CHECKOV_NAME)
    return [
        Finding(one["check_id"], f"{one['file_path'].lstrip('/')} {one['resource']}", one["check_name"])
        for one in answer["results"]["failed_checks"]
    ]


def _report(run: Run, tool: str, arguments: list[str], *, name: str = "") -> dict[str, Any]:
    """Run a tool that writes a report, whose path is the last argument, and return the report."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (name or "report.json")
        status = run(tool, [*arguments, folder if name else str(path)])
        if not path.exists():
            raise NotAudited(f"{tool} cannot be had, or ends without a report (exit status {status})")
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return report


def judge(found: Sequence[Finding], accepted: Sequence[Accepted]) -> Iterator[str]:
    """Yield a line for each finding that is not accepted, and for each entry that accepts nothing."""
    for finding in found:
        if not any(entry.covers(finding) for entry in accepted):
            yield f"{finding.rule}: {finding.subject}: {finding.text}"
    for entry in accepted:
        if not any(entry.covers(finding) for finding in found):
            yield f"{entry.rule} is accepted for {', '.join(entry.subjects)}, and nothing breaks it there any more"


CHECKS: Mapping[str, tuple[str, Callable[[Run], list[Finding]]]] = {
    "advisories about packages": ("advisory", find_advisories),
    "checkov on the templates": ("template", find_weak_resources),
}


def main(run: Run, *, told_only: frozenset[str] = frozenset()) -> int:
    """Make every check that can be made, print what it finds, and return the exit status.

    What the kinds of `told_only` find is printed and fails nothing.
    """
    failed = False
    for title, (kind, find) in CHECKS.items():
        try:
            lines = list(judge(find(run), read_accepted(kind)))
        except NotAudited as reason:
            print(f"{title}: skipped, {reason}")
            continue
        print(f"{title}: {f'{len(lines)} to look at' if lines else 'nothing new'}")
        print("\n".join(f"  {line}" for line in lines), end="\n" if lines else "")
        failed = failed or (bool(lines) and kind not in told_only)
    return int(failed)


def run_isolated(tool: str, arguments: Sequence[str]) -> int:
    """Run a tool in an environment of its own."""
    name = tool.partition("==")[0]
    command = [str(TOOLS / "uv"), "tool", "run", "--quiet", "--from", tool, name, *arguments]
    return subprocess.run(  # noqa: S603 - pinned tools
        command, cwd=ROOT, check=False, stdin=subprocess.DEVNULL, capture_output=True
    ).returncode


if __name__ == "__main__":
    # A commit that was good stays so when an advisory appears: .ci/run has advisories told.
    sys.exit(main(run_isolated, told_only=frozenset({"advisory"} if os.environ.get("ADVISORIES") == "told" else ())))
