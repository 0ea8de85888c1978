"""The commands that README.md and docs/tour.md print, run as printed in one shell on the deployed stack."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.stack.places import ROOT
from tests.system.stack_client import Stack

_SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FAULT = re.compile(r'\{"(?:message|error|errors|__type)":')


def blocks(file: str, *, heading: str, until: str = "\\Z") -> list[str]:
    """Return the shell blocks of a page between two headings."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = re.search(rf"^{heading}$(.*?)(?=^{until})", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return _SHELL.findall(found[1])


@pytest.fixture
def folder(stack: Stack, tmp_path: Path) -> Iterator[Path]:
    """Return a folder with the session's file in its place; put the market back afterwards."""
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "session.json").write_text(json.dumps(stack.running.session()), encoding="utf-8")
    stack.move_price("BTCUSDT", "20000")
    stack.wait_for_weight()
    yield tmp_path
    stack.paper("DELETE", "faults")
    stack.move_price("BTCUSDT", "20000")


def run(commands: list[str], folder: Path) -> str:
    done = subprocess.run(
        ["/bin/bash", "-c", "set -euo pipefail\n" + "\necho\n".join(commands)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_commands_of_the_readme_and_the_tour_work_as_printed(folder: Path) -> None:
    readme = blocks("README.md", heading="## Try it", until="## ")
    tour = blocks("docs/tour.md", heading="# A customer's tour")
    turn = next(number for number, block in enumerate(readme) if '"type": "sell"' in block)
    (refusal,) = [number for number, block in enumerate(tour) if "canWithdraw" in block]
    said = run([*readme[: turn + 1], *tour[:refusal]], folder)
    assert _FAULT.search(said) is None, said
    # The customer is ready, is in the next alert, lets the strategy close only, closes, and has the trade on record.
    for expected in (
        '"standing":"PAID"',
        '"ready":true',
        '"kind":"POSITION_OPENED"',
        '"code":"EXITS_ONLY"',
        "REALIZED_PROFIT",
    ):
        assert expected in said
    left = run([*readme[:turn], *tour[refusal:]], folder)
    assert [one["code"] for one in faults_in(left)] == ["WITHDRAWALS_ENABLED"]
    assert '"status":"ENDED"' in left
    assert '"deleted":true' in left


def test_commands_after_the_customers_work_as_printed(folder: Path) -> None:
    readme = blocks("README.md", heading="## Try it", until="## ")
    turn = next(number for number, block in enumerate(readme) if '"type": "sell"' in block)
    assert len(readme) > turn + 4
    said = run([readme[0], *readme[turn + 1 :]], folder)
    assert _FAULT.search(said) is None, said


def faults_in(said: str) -> list[dict[str, Any]]:
    """Return the faults of all 422 answers in what commands have said."""
    found: list[dict[str, Any]] = []
    for errors in re.findall(r'\{"errors":(\[.*?\])\}', said):
        found += json.loads(errors)
    return found
