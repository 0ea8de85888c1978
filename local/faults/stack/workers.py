"""Finds and kills the Lambda workers of one local stack: the processes below its embedded AWS. Starts none."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
# MiniStack unpacks each worker into a directory named after its function.
_WORKER = re.compile(r"ministack-lambda-([A-Za-z0-9_-]+?)-[a-z0-9_]+/")


def kill_workers(aws_pid: int, *, stack_name: str) -> Counter[str]:
    """Kill (SIGKILL) every worker process below this embedded AWS, and no other; return how many of each function."""
    killed: Counter[str] = Counter()
    for pid, function in find_workers(aws_pid):
        # It may have ended by itself since it was found.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed[_short_name(function, stack_name)] += 1
    return killed


def find_workers(aws_pid: int) -> Iterator[tuple[int, str]]:
    """Yield process id and function name of each living worker that this embedded AWS has started."""
    parents = _parents()
    for pid in parents:
        if _is_below(pid, aws_pid, parents) and (found := _WORKER.search(_command_line(pid))):
            yield pid, found.group(1)


def _parents() -> dict[int, int]:
    """Return the parent of each process."""
    parents = {}
    for home in _PROC.iterdir():
        if home.name.isdigit():
            with suppress(OSError):
                # pid (name, which may hold anything) state parent …
                state, parent = (
                    (home / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:2]
                )
                if state != "Z":
                    parents[int(home.name)] = int(parent)
    return parents


def _is_below(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == ancestor:
            return True
    return False


def _command_line(pid: int) -> str:
    with suppress(OSError):
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _short_name(function: str, stack_name: str) -> str:
    # lockstep-OrderExecutor-1A2B3C → OrderExecutor
    return function.removeprefix(f"{stack_name}-").split("-")[0]
