"""Starts a paper exchange for the tests, and calls its control interface."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.services import free_port

START_DEADLINE_S = 15.0
_ROOT = Path(__file__).resolve().parents[3]


class ControlRefusedError(Exception):
    """The control interface refused the request."""

    def __init__(self, status: int, body: str) -> None:
        self.status = status
        super().__init__(f"{status} {body}")


class ExchangeProcess:
    """One running exchange."""

    def __init__(self, state_file: Path | None = None) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._state_file = state_file
        self._process: subprocess.Popen[bytes] | None = None
        self.last_stderr = ""

    @classmethod
    @contextmanager
    def running(cls, **settings: Any) -> Iterator[ExchangeProcess]:
        """Start an exchange with these settings, and stop it afterwards."""
        exchange = cls().start()
        try:
            exchange.set(**settings)
            yield exchange
        finally:
            exchange.stop()

    def start(self) -> ExchangeProcess:
        """Start it and wait until it answers."""
        arguments = [sys.executable, "-m", "local.paper_exchange", "--port", str(self._port)]
        if self._state_file is not None:
            arguments += ["--state", str(self._state_file)]
        self._process = subprocess.Popen(
            arguments, cwd=_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ}
        )
        deadline = time.monotonic() + START_DEADLINE_S
        while True:
            try:
                self.control("GET", "/paper/health")
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return self

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Stop it with a signal; return its exit code."""
        assert self._process is not None
        self._process.send_signal(with_signal)
        return self.exit_code()

    def exit_code(self) -> int:
        """Wait for its end; return its exit code."""
        assert self._process is not None
        _, stderr = self._process.communicate(timeout=15)
        self.last_stderr = stderr.decode()
        return self._process.returncode

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send one control request; return its answer, or raise what it refused with."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + urllib.parse.quote(path), data=data, method=method)  # noqa: S310 - 127.0.0.1
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - 127.0.0.1
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise ControlRefusedError(error.code, error.read().decode()) from error

    def move_price(self, price: str, symbol: str = "BTCUSDT", **also: str) -> None:
        """Move a price."""
        self.control("PUT", f"/paper/prices/{symbol}", {"price": price, **also})

    def plan_fault(self, kind: str, path: str = "/fapi/v1/order", method: str = "POST", **also: Any) -> None:
        """Plan a fault, by default on the next new order."""
        self.control("POST", "/paper/faults", {"kind": kind, "method": method, "path": path, "times": 1, **also})

    def set(self, **settings: Any) -> None:
        """Change settings."""
        self.control("POST", "/paper/settings", settings)
