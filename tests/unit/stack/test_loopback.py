"""Whose requests a local server answers: those of this machine's programs and pages."""

from __future__ import annotations

import pytest

from local.loopback import is_local


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:4566", "localhost", "LOCALHOST:3000", "127.0.0.2:80", "[::1]:9"]
)
def test_names_of_this_machine_are_local(host: str) -> None:
    assert is_local(host=host, origin=None)
    assert is_local(host=host, origin=f"http://{host}")


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example.com",
        "evil.example.com:4566",
        "127.0.0.1.evil.example.com",
        "localhost.evil.example.com",
        "evil.localhost",
        "127.0.0.1, evil.example.com",
        "evil.example.com, 127.0.0.1",
        "evil.example.com@127.0.0.1",
        "127.0.0.1/evil.example.com",
        "127.0.0.1:port",
        "192.168.0.1",
        "8.8.8.8",
        "2130706433",
        "[::1",
        "abc.execute-api.localhost:4566",
    ],
)
def test_any_other_host_is_foreign(host: str | None) -> None:
    assert not is_local(host=host, origin=None)


@pytest.mark.parametrize(
    "origin",
    ["", "null", "https://evil.example.com", "http://127.0.0.1.evil.example.com", "http://evil.localhost:3000"],
)
def test_any_other_origin_is_foreign(origin: str) -> None:
    assert not is_local(host="127.0.0.1:4566", origin=origin)
