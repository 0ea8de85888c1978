"""What is mended in the embedded AWS from outside, as far as one worker's process shows it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from ministack.core.lambda_runtime import Worker

from local.stack.ministack_patch import _what_was_logged

LINES = 3000
LOGGING = f"""
import sys
for line in sys.stdin:
    for number in range({LINES}):
        print(line.strip(), number, file=sys.stderr)
    print("answer", flush=True)
"""
SILENT = """
import sys
for line in sys.stdin:
    print("answer", flush=True)
"""


def invoke(worker: Worker, word: str) -> list[str]:
    """Let a worker answer, and return what it logged by then."""
    worker._proc.stdin.write(f"{word}\n")
    worker._proc.stdin.flush()
    assert worker._proc.stdout.readline() == "answer\n"
    return _what_was_logged(worker).splitlines()


@pytest.fixture
def running() -> Iterator[Callable[[str], Worker]]:
    """Return a function that makes a worker, as the embedded AWS has them, out of a piece of Python."""
    made: list[tuple[Worker, subprocess.Popen[str]]] = []

    def run(code: str) -> Worker:
        pipe = subprocess.PIPE
        worker = Worker("function", {}, b"")
        worker._proc = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        worker._stderr_thread = threading.Thread(target=worker._read_stderr, daemon=True)
        worker._stderr_thread.start()
        made.append((worker, worker._proc))
        return worker

    yield run
    for worker, process in made:
        process.kill()
        process.wait()
        worker._stderr_thread.join(timeout=10)


def test_an_answer_has_all_that_was_logged_before_it_and_nothing_else(running: Callable[[str], Worker]) -> None:
    worker = running(LOGGING)
    for word in ("first", "second"):
        assert invoke(worker, word) == [f"{word} {number}" for number in range(LINES)]


def test_who_logs_nothing_has_an_answer_without_lines(running: Callable[[str], Worker]) -> None:
    assert invoke(running(SILENT), "first") == []


def test_what_a_worker_logged_that_was_ended_is_told(running: Callable[[str], Worker]) -> None:
    worker = running(LOGGING)
    process = worker._proc
    process.stdin.write("last\n")
    process.stdin.flush()
    assert process.stdout.readline() == "answer\n"
    process.kill()
    process.wait()
    worker._proc = None  # as after every failed invocation
    assert _what_was_logged(worker).splitlines() == [f"last {number}" for number in range(LINES)]


def test_a_worker_that_was_ended_with_its_pipe_closed_holds_nothing_up(running: Callable[[str], Worker]) -> None:
    worker = running(SILENT)
    worker._proc.kill()
    worker._proc.wait()
    worker._stderr_thread.join(timeout=10)
    worker._proc.stderr.close()
    assert _what_was_logged(worker) == ""
