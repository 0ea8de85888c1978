"""A local stack's ports, directories and environments. Starts nothing."""

from __future__ import annotations

import os
import platform
import secrets
import socket
import string
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"
TOOLS = Path(sys.executable).parent

DEFAULT_PORT = 3000
AWS_PORT_OFFSET = 1566
"""From the API's port to the embedded AWS's: 3000 → 4566."""

FIRST_PORT, LAST_PORT = 1024, 65535

BLOCKED_BY_BROWSERS = {
    *(1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566),
    *(6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
}
"""The "bad ports" of https://fetch.spec.whatwg.org/#port-blocking from FIRST_PORT on.

The embedded AWS may have one: programs alone use it.
"""

_SEARCHED, _BLOCK = (13_000, 31_000), 10
"""Where stacks beside others have their ports: below those that the system gives to clients."""
_RESERVATION = 9
"""The offset of a port that is never served: the process that has it bound owns the block of ports.

A check alone would give two processes the same ports until the servers of one listen.
"""
_reservations: list[socket.socket] = []
"""Bound until this process ends."""

REGION = "us-east-1"
STACK_NAME = "lockstep"

_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TERM", "SSL_CERT_FILE", "SYSTEMROOT")


class NotReady(Exception):
    """The stack cannot run; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The six addresses of a stack, all on 127.0.0.1."""

    api: int

    def __post_init__(self) -> None:
        last = LAST_PORT - AWS_PORT_OFFSET
        if not FIRST_PORT <= self.api <= last:
            raise NotReady(f"PORT={self.api} does not work: choose one from {FIRST_PORT} to {last}")
        blocked = [port for port in self.all if port in BLOCKED_BY_BROWSERS and port != self.aws]
        if blocked:
            ports = " and ".join(map(str, blocked))
            raise NotReady(f"PORT={self.api} does not work: browsers refuse to open port {ports}; choose another")

    @property
    def webhook(self) -> int:
        """Where the webhook's Function URL answers."""
        return self.api + 1

    @property
    def exchange(self) -> int:
        """Where the paper exchange answers."""
        return self.api + 2

    @property
    def stripe(self) -> int:
        """Where the stand-in for Stripe answers."""
        return self.api + 3

    @property
    def telegram(self) -> int:
        """Where the stand-in for Telegram answers."""
        return self.api + 4

    @property
    def aws(self) -> int:
        """Where the embedded AWS answers."""
        return self.api + AWS_PORT_OFFSET

    @property
    def all(self) -> tuple[int, ...]:
        """Every port of the stack."""
        return (self.api, self.webhook, self.exchange, self.stripe, self.telegram, self.aws)

    def check_free(self) -> None:
        """Raise NotReady if one of them is taken."""
        taken = [port for port in self.all if not _is_free(port)]
        if taken:
            ports = " and ".join(map(str, taken))
            raise NotReady(f"port {ports} is taken: stop what listens there, or choose another with PORT=n")

    @classmethod
    def reserve_free(cls) -> Ports:
        """Return free ports, reserved for this process until it ends."""
        for api in range(*_SEARCHED, _BLOCK):
            ports = cls(api)
            reservation = _bind(api + _RESERVATION)
            if reservation is None:
                continue
            if all(_is_free(port) for port in ports.all):
                _reservations.append(reservation)
                return ports
            reservation.close()
        first, end = _SEARCHED
        raise NotReady(f"no free ports between {first} and {end}")


@dataclass(frozen=True, slots=True)
class AwsKey:
    """The access key of the embedded AWS's owner."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def random(cls) -> AwsKey:
        """Return a key that nobody else knows."""
        letters = string.ascii_uppercase + "234567"  # those of AWS's own
        return cls("AKIA" + "".join(secrets.choice(letters) for _ in range(16)), secrets.token_urlsafe(30))


@dataclass(frozen=True, slots=True)
class Places:
    """The directories of one stack, the addresses that it serves, and the key to its AWS."""

    ports: Ports
    state: Path | None = None
    """Where data is kept for the next start; None keeps none."""
    aws_key: AwsKey = field(default_factory=AwsKey.random)

    @classmethod
    def of(cls, session: Mapping[str, str]) -> Places:
        """Return the places of the running stack that wrote this session."""
        key = AwsKey(session["awsAccessKeyId"], session["awsSecretAccessKey"])
        return cls(Ports(int(session["api"].rsplit(":", 1)[1])), aws_key=key)

    @property
    def work(self) -> Path:
        """The directory of this stack's logs and temporary files."""
        return LOCAL / f"stack-{self.ports.api}"

    @property
    def logs(self) -> Path:
        """The directory of the processes' logs."""
        return self.work / "logs"

    @property
    def rights_record(self) -> Path:
        """The file in which the embedded AWS records what functions' roles have used and were denied."""
        return self.logs / "rights.jsonl"

    @property
    def temporary(self) -> Path:
        """Where the embedded AWS unpacks functions; emptied at start and stop."""
        return self.work / "tmp"

    def output(self, name: str) -> Path:
        """Return where this stack writes a file for its user: `session.json`, or `session-5000.json` for PORT=5000."""
        path = LOCAL / name
        return path if self.ports.api == DEFAULT_PORT else path.with_stem(f"{path.stem}-{self.ports.api}")

    @property
    def session_file(self) -> Path:
        """The file of addresses, tokens and keys, which is there while the stack is ready."""
        return self.output("session.json")

    @property
    def api_url(self) -> str:
        """Base address of the REST API."""
        return f"http://127.0.0.1:{self.ports.api}"

    @property
    def webhook_url(self) -> str:
        """Base address of the Function URL."""
        return f"http://127.0.0.1:{self.ports.webhook}"

    @property
    def exchange_url(self) -> str:
        """Base address of the paper exchange."""
        return f"http://127.0.0.1:{self.ports.exchange}"

    @property
    def stripe_url(self) -> str:
        """Base address of the stand-in for Stripe."""
        return f"http://127.0.0.1:{self.ports.stripe}"

    @property
    def telegram_url(self) -> str:
        """Base address of the stand-in for Telegram."""
        return f"http://127.0.0.1:{self.ports.telegram}"

    @property
    def aws_url(self) -> str:
        """Endpoint of the embedded AWS."""
        return f"http://127.0.0.1:{self.ports.aws}"


def python_version() -> str:
    """Return the version that functions run on locally, `3.11`."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def architecture() -> str:
    """Return the host's architecture by Lambda's name."""
    return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"


def clean_environment(**variables: str) -> dict[str, str]:
    """Return an environment without the user's AWS settings, proxies and Python paths, plus `variables`."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return kept | {"PYTHONUNBUFFERED": "1", "NO_PROXY": "*"} | variables


def aws_environment(places: Places, **variables: str) -> dict[str, str]:
    """Return a clean environment in which AWS clients use this stack alone."""
    return clean_environment(
        AWS_ENDPOINT_URL=places.aws_url,
        AWS_ACCESS_KEY_ID=places.aws_key.id,
        AWS_SECRET_ACCESS_KEY=places.aws_key.secret,
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        **variables,
    )


def _is_free(port: int) -> bool:
    probe = _bind(port, reuse=True)
    if probe is None:
        return False
    probe.close()
    return True


def _bind(port: int, *, reuse: bool = False) -> socket.socket | None:
    """Return a socket that holds the port, or None if it is taken."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if reuse:  # as the servers do: an earlier server may have used the port just before
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        return None
    return bound
