"""Decides whether a request comes from this machine's own programs and pages, for every server of the local stack.

All of them listen on 127.0.0.1 only, which does not keep out web pages: the browser that shows a page runs here too. It
says in `Origin` which page sends a request. A foreign name that resolves to 127.0.0.1 (DNS rebinding) stands in `Host`.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

REFUSAL = "this server answers the programs and pages of this machine only: the request's Host or Origin is foreign"


def is_local(*, host: str | None, origin: str | None) -> bool:
    """Return whether both headers name this machine; programs send no Origin."""
    return _names_this_machine(f"//{host}") and (origin is None or _names_this_machine(origin))


def _names_this_machine(address: str) -> bool:
    try:
        parts = urlsplit(address)
        name = parts.hostname or ""
        parts.port  # noqa: B018 - raises ValueError for a port that is none
    except ValueError:
        return False
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        return False
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
