"""Runs local services in processes of their own, each on a free port, for the fixtures of a folder."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.stack.places import clean_environment
from local.stack.processes import Process


def free_port() -> int:
    """Return a port that no process uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_stand_in(module: str, *arguments: str, probe: str, directory: Path) -> Iterator[str]:
    """Start a stand-in, wait until it answers at the path `probe`, and yield its address; its log is in `directory`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = Process(
        module,
        [sys.executable, "-m", module, "--port", str(port), *arguments],
        environment=clean_environment(),
        log=directory / f"{module}.log",
    )
    try:
        process.wait_until_it_answers(f"{url}{probe}", timeout_s=30)
        yield url
    finally:
        process.stop()
