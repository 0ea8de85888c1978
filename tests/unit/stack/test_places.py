"""Stacks side by side get ports of their own."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from local.stack.places import NotReady, Ports

ROOT = Path(__file__).parents[3]
PROCESSES = 6
PER_PROCESS = 3

_RESERVE = f"""
import sys
from local.stack.places import Ports
sys.stdin.readline()
print(*(Ports.reserve_free().api for _ in range({PER_PROCESS})), flush=True)
sys.stdin.readline()
"""


@contextmanager
def reserving() -> Iterator[subprocess.Popen[str]]:
    """A process that reserves ports on the first line of its input, and ends on the second."""
    process = subprocess.Popen(
        [sys.executable, "-c", _RESERVE], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.communicate(timeout=30)


def proceed(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def printed(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    return [int(port) for port in process.stdout.readline().split()]


def test_processes_that_search_at_once_reserve_different_ports() -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(reserving()) for _ in range(PROCESSES)]
        for process in processes:
            proceed(process)

        reserved = [port for process in processes for port in printed(process)]

    assert len(reserved) == PROCESSES * PER_PROCESS
    assert len(set(reserved)) == len(reserved)


def test_ports_that_something_listens_on_are_passed_over() -> None:
    free = Ports.reserve_free()
    with socket.create_server(("127.0.0.1", free.api + 10)) as server:
        assert Ports.reserve_free().api != server.getsockname()[1]


def test_a_taken_port_is_named() -> None:
    ports = Ports.reserve_free()
    with (
        socket.create_server(("127.0.0.1", ports.stripe)),
        pytest.raises(NotReady, match=f"port {ports.stripe} is taken"),
    ):
        ports.check_free()
