"""Tells requests that came through CloudFront from those that were sent to a Function URL directly.

CloudFront adds a secret header to every request, in place of any that a viewer sends under this name. TradingView can
sign nothing, and a signature of CloudFront's own (origin access control) needs each sender to hash its body.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

from shared.api.events import header_of
from shared.api.quick_parameters import ParameterMissing, read_quickly
from shared.config import settings
from shared.observability import count_outcome, logger
from shared.process_state import on_reset

SECRET_HEADER: Final = "x-edge-secret"  # noqa: S105 - a header's name
VIEWER_HEADER: Final = "cloudfront-viewer-address"
"""Address and port of who sent the request to CloudFront, which overwrites a header of this name."""

CACHED_FOR_S: Final = 300.0
"""How long a secret is accepted after it has left the parameter."""

READ_AGAIN_S: Final = 5.0
"""An unknown secret may be a new one: the parameter is read again for it, but not more often than this."""


@dataclass(frozen=True, slots=True)
class _Known:
    read_at: float
    digests: tuple[bytes, ...]


_known: _Known | None = None


def load() -> None:
    """Read the secrets while the container starts, where it costs no alert time."""
    if settings().edge_secret_parameter:
        _secrets(not_older_than_s=CACHED_FOR_S)


def is_direct_call(event: Mapping[str, Any]) -> bool:
    """Return whether a request has to be refused because it did not come through CloudFront; count it.

    While the secrets exist and could never be read, each request that has one passes: what it is itself signed with, or
    the alert's own secret, is checked after this. Where no secret exists, none passes: nobody can have sent it.
    """
    if not settings().edge_secret_parameter:
        return False
    given = header_of(event, SECRET_HEADER)
    if given is None:
        count_outcome("direct_call_refused")
        return _refuse(because="no secret")
    digest = _digest(given)
    known = _secrets(not_older_than_s=CACHED_FOR_S)
    if known is not None and not _is_one_of(digest, known):
        known = _secrets(not_older_than_s=READ_AGAIN_S)
    if known is None:
        count_outcome("edge_secret_unread")
        return False
    if not known:
        count_outcome("edge_secret_unread")
        return _refuse(because="no secret exists")
    if _is_one_of(digest, known):
        return False
    # Somebody guesses, or CloudFront sends another secret than SSM holds: then no alert arrives.
    count_outcome("edge_secret_wrong")
    return _refuse(because="wrong secret")


def viewer_address(event: Mapping[str, Any]) -> IPv4Address | IPv6Address | None:
    """Return who sent a request to CloudFront, or None. Only for a request that is no direct call."""
    # An IPv6 address has no brackets: its last part is the port.
    address, _, port = (header_of(event, VIEWER_HEADER) or "").strip().rpartition(":")
    if not (port.isascii() and port.isdigit()):
        return None
    try:
        return ip_address(address)
    except ValueError:
        return None


def is_known_sender(event: Mapping[str, Any], senders: Iterable[str]) -> bool:
    """Return whether a request comes from one of these networks (CIDR), or does not have to.

    It does not have to while direct calls are allowed: they have no viewer's address.
    """
    if not settings().edge_secret_parameter:
        return True
    address = viewer_address(event)
    return address is not None and any(address in ip_network(sender, strict=False) for sender in senders)


@on_reset
def forget_secrets() -> None:
    """Make the next request read the secrets."""
    global _known  # noqa: PLW0603 - one cached value per process is the point
    _known = None


def _secrets(*, not_older_than_s: float) -> tuple[bytes, ...] | None:
    """Return the digests of the secrets that are accepted, the present one first; None if they cannot be read.

    It is none where the parameter does not exist. A process that has known secrets goes on with them.
    """
    global _known  # noqa: PLW0603 - one cached value per process is the point
    now = time.monotonic()
    if _known is not None and now - _known.read_at < not_older_than_s:
        return _known.digests
    try:
        value = read_quickly(settings().edge_secret_parameter)
    except ParameterMissing:
        _known = _Known(now, _known.digests if _known is not None else ())
        return _known.digests
    if value is not None:
        _known = _Known(now, tuple(_digest(secret) for secret in value.split()))
    return _known.digests if _known is not None else None


def _is_one_of(digest: bytes, known: tuple[bytes, ...]) -> bool:
    # Digests have one length, and every one is compared: the time does not tell which one is close.
    matches = [hmac.compare_digest(digest, one) for one in known]
    return any(matches)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _refuse(*, because: str) -> bool:
    logger.info("direct_call_refused", reason=because)
    return True
