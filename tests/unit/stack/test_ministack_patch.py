"""The patches of the embedded AWS: log lines of a worker, and whose keys and signatures count."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from ministack.core.lambda_runtime import Worker
from ministack.services import sts

from local.stack.ministack_patch import (
    _one_after_the_other,
    _queue_log_lines,
    _read_log_lines,
    _with_own_key_checked,
    _with_secret_keys,
)

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
    """Let a worker answer, and return the lines that it logged before."""
    worker._proc.stdin.write(f"{word}\n")
    worker._proc.stdin.flush()
    assert worker._proc.stdout.readline() == "answer\n"
    return _read_log_lines(worker).splitlines()


@pytest.fixture
def running() -> Iterator[Callable[[str], Worker]]:
    """Return a function that starts a worker of the embedded AWS on a Python program."""
    made: list[tuple[Worker, subprocess.Popen[str]]] = []

    def run(code: str) -> Worker:
        pipe = subprocess.PIPE
        worker = Worker("function", {}, b"")
        worker._proc = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        worker._stderr_thread = threading.Thread(target=_queue_log_lines, args=(worker,), daemon=True)
        worker._stderr_thread.start()
        made.append((worker, worker._proc))
        return worker

    yield run
    for worker, process in made:
        process.kill()
        process.wait()
        worker._stderr_thread.join(timeout=10)


def test_every_line_logged_before_the_answer_is_read_and_no_other(running: Callable[[str], Worker]) -> None:
    worker = running(LOGGING)
    for word in ("first", "second"):
        assert invoke(worker, word) == [f"{word} {number}" for number in range(LINES)]


def test_lines_on_their_way_to_the_queue_belong_to_the_answer_before(running: Callable[[str], Worker]) -> None:
    worker = running(LOGGING)
    put = worker._stderr_queue.put

    def put_slowly(line: str) -> None:
        if line.endswith(" 0"):
            time.sleep(0.05)
        put(line)

    worker._stderr_queue.put = put_slowly
    for word in ("first", "second"):
        assert invoke(worker, word) == [f"{word} {number}" for number in range(LINES)]


def test_worker_that_logs_nothing_has_no_lines(running: Callable[[str], Worker]) -> None:
    assert invoke(running(SILENT), "first") == []


def test_lines_of_a_stopped_worker_are_read(running: Callable[[str], Worker]) -> None:
    worker = running(LOGGING)
    process = worker._proc
    process.stdin.write("last\n")
    process.stdin.flush()
    assert process.stdout.readline() == "answer\n"
    process.kill()
    process.wait()
    worker._proc = None  # as after every failed invocation
    assert _read_log_lines(worker).splitlines() == [f"last {number}" for number in range(LINES)]


def test_stopped_worker_with_a_closed_pipe_delays_nothing(running: Callable[[str], Worker]) -> None:
    worker = running(SILENT)
    worker._proc.kill()
    worker._proc.wait()
    worker._stderr_thread.join(timeout=10)
    worker._proc.stderr.close()
    assert _read_log_lines(worker) == ""


FUNCTION = {
    "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:one",
    "FunctionName": "one",
    "Role": "arn:aws:iam::000000000000:role/path/its-role",
}


class Sessions:
    """Stands for the module that knows the keys of roles."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, str]] = {}

    def register_session(self, key: str, session: dict[str, str]) -> None:
        self.known[key] = session


def test_keys_of_a_role_depend_on_the_runs_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for secret in ("one run's", "another run's"):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        sessions = Sessions()
        credentials = _with_secret_keys(sessions)
        given = credentials(FUNCTION)
        assert credentials(FUNCTION) == given, "workers of a function share its keys"
        session = sessions.known[given["AWS_ACCESS_KEY_ID"]]
        assert session["Arn"] == "arn:aws:sts::000000000000:assumed-role/its-role/one"
        assert session["SecretAccessKey"] == given["AWS_SECRET_ACCESS_KEY"]
        assert session["SessionToken"] == given["AWS_SESSION_TOKEN"]
        found.append(set(given.values()))
    assert len(found[0] | found[1]) == 6


def test_the_signature_of_the_runs_own_key_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "own")
    unchecked = _with_own_key_checked(lambda key: key in {"own", "", "test"})
    assert [unchecked(key) for key in ("own", "", "test", "role's")] == [False, True, True, False]


def test_sessions_begin_while_others_are_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sts, "_sessions", {})
    register = _one_after_the_other(sts.register_session)
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: register(f"key {number}", {"Expiration": time.time() + 60}), range(1000)))
    finally:
        sys.setswitchinterval(switching)
    assert len(sts._sessions) == 1000
