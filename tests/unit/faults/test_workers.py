"""Only workers below the given process are found and killed, however deep, and nothing beside them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.faults.stack.workers import find_workers, kill_workers

_SLEEP = "import sys, time; time.sleep(60)"
_PARENT = """
import subprocess, sys, time
paths = sys.argv[1:]
children = [subprocess.Popen([sys.executable, path]) for path in paths]
print(*(child.pid for child in children), flush=True)
time.sleep(60)
"""


def start_aws(home: Path, *names: str) -> tuple[subprocess.Popen[str], list[int]]:
    """Start a process with children whose scripts lie where a worker's would."""
    scripts = []
    for name in names:
        script = home / name / "_worker.py"
        script.parent.mkdir(parents=True)
        script.write_text(_SLEEP, encoding="utf-8")
        scripts.append(str(script))
    aws = subprocess.Popen([sys.executable, "-c", _PARENT, *scripts], stdout=subprocess.PIPE, text=True)
    assert aws.stdout is not None
    return aws, [int(pid) for pid in aws.stdout.readline().split()]


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_only_this_stacks_workers_are_killed(tmp_path: Path, started: list[subprocess.Popen[str]]) -> None:
    executor = "ministack-lambda-lockstep-OrderExecutor-8CAEAF35269F6-kwdgf07f"
    fanout = "ministack-lambda-lockstep-TriggerFanout-70D4607A9F075-5gy_v4h"
    aws, (one, two, no_worker) = start_aws(tmp_path / "ours", executor, fanout, "layers")
    other, (foreign,) = start_aws(tmp_path / "theirs", executor)
    started += [aws, other]
    try:
        assert dict(find_workers(aws.pid)).keys() == {one, two}

        assert kill_workers(aws.pid, stack_name="lockstep") == {"OrderExecutor": 1, "TriggerFanout": 1}

        deadline = time.monotonic() + 10
        while list(find_workers(aws.pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert list(find_workers(aws.pid)) == []
        assert dict(find_workers(other.pid)).keys() == {foreign}
        os.kill(no_worker, 0)
    finally:
        for pid in (no_worker, foreign):
            os.kill(pid, 9)
