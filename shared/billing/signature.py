"""Checks the signature of Stripe's webhooks, by its documented scheme. Reads no content, and loads no library.

`Stripe-Signature: t=<Unix seconds>,v1=<hex>[,v1=<hex>…][,v0=…]`: each `v1` is the HMAC-SHA256 of `<t>.<body>` under one
of the endpoint's signing secrets. While a secret is being rolled there is one `v1` for the old and one for the new.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from typing import Final

from shared.errors import RequestInvalid, ServiceUnavailable

TOLERANCE: Final = timedelta(minutes=5)
"""How far the signature's time may be from ours: an intercepted request cannot be replayed later."""

_MAX_CHARACTERS = 2048
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_SCHEME = "v1"


def read_secrets(text: str) -> tuple[str, ...]:
    """Return the signing secrets in a parameter, separated by commas or blanks; raise ServiceUnavailable for none.

    An empty secret does not count: anybody could sign with it.
    """
    found = tuple(secret for secret in re.split(r"[,\s]+", text) if secret)
    if not found:
        raise ServiceUnavailable("no signing secret of Stripe's is set")
    return found


def check_signature(header: str, body: bytes, *, secrets: tuple[str, ...], at: datetime) -> None:
    """Return if Stripe signed this body within the tolerance; raise RequestInvalid otherwise, never saying why."""
    signed_at, given = _parse(header)
    payload = signed_at.encode() + b"." + body
    # One HMAC for each secret: a stranger's header may list hundreds of signatures, and the body may be large.
    expected = [hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest().encode() for secret in secrets]
    # Every pair is compared, each in constant time, so the duration does not reveal which one almost matched.
    matches = [hmac.compare_digest(digest, signature) for digest in expected for signature in given]
    age_s = abs(at.timestamp() - int(signed_at))
    if not any(matches) or age_s > TOLERANCE.total_seconds():
        raise _refusal()


def _parse(header: str) -> tuple[str, list[bytes]]:
    """Return the header's time as written, and its signatures of the scheme `v1`."""
    if len(header) > _MAX_CHARACTERS:
        raise _refusal()
    fields = [field.strip().partition("=") for field in header.split(",")]
    times = [value for name, _, value in fields if name == "t"]
    signatures = [value.encode(errors="replace") for name, _, value in fields if name == _SCHEME]
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or not signatures:
        raise _refusal()
    return times[0], signatures


def _refusal() -> RequestInvalid:
    return RequestInvalid("signature does not match")
