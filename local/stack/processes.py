"""Starts the processes of a stack, each with a log, waits for them, and stops them with their children."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from local.stack import private
from local.stack.places import ROOT, NotReady

_TAIL_LINES = 15


class Process:
    """One server of the stack, in its own process group: Ctrl-C does not reach it directly."""

    def __init__(self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        private.make_directory(log.parent)
        self.name = name
        self._log = log
        with private.open_file(log) as output:
            self._popen = subprocess.Popen(  # noqa: S603 - our own servers
                command,
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=private.UMASK,
            )

    @property
    def pid(self) -> int:
        """The process id, which is also the group's."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def wait_until_it_answers(self, url: str, *, timeout_s: float) -> None:
        """Return when the URL answers with any status; raise NotReady if the process ends or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not _answers(url):
            if not self.running:
                raise NotReady(f"{self.name} ended at once; its log {self._log} ends with:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise NotReady(f"{self.name} does not answer after {timeout_s:.0f} s; see {self._log}")
            time.sleep(0.03)

    def tail(self) -> str:
        """Return the last lines of its log."""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:])

    def stop(self, *, grace_s: float = 8.0) -> None:
        """Terminate it, wait, then kill its whole group: workers must not outlive their server."""
        if self.running:
            self._popen.terminate()
            try:
                self._popen.wait(timeout=grace_s)
            except subprocess.TimeoutExpired:
                self._popen.kill()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()


def run_tool(
    name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path, timeout_s: float = 600
) -> None:
    """Run a command to its end; raise NotReady with the end of its output if it fails.

    Its temporary files go with it: SAM CLI leaves a directory for each artefact that it deploys.
    """
    private.make_directory(log.parent)
    with private.open_file(log) as output, tempfile.TemporaryDirectory(prefix="lockstep-tool-") as scratch:
        result = subprocess.run(  # noqa: S603 - our own tools
            command,
            cwd=ROOT,
            env={**environment, "TMPDIR": scratch},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
            umask=private.UMASK,
        )
    if result.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        raise NotReady(f"{name} failed; its log {log} ends with:\n" + "\n".join(lines))


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
