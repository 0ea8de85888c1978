"""The signature on what Stripe sends us, by its documented scheme. Reads no content, and loads no library.

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
"""How far the signature's time may be from ours: what was overheard is worth nothing afterwards."""

_MOST_CHARACTERS = 2048
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_SCHEME = "v1"


def read_secrets(text: str) -> tuple[str, ...]:
    """Return the signing secrets in a parameter: one, or several apart by commas or blanks; raise ServiceUnavailable.

    Nothing is signed under an empty secret: without any, nobody's signature could be told from Stripe's.
    """
    found = tuple(secret for secret in re.split(r"[,\s]+", text) if secret)
    if not found:
        raise ServiceUnavailable("no signing secret of Stripe's is set")
    return found


def check_signature(header: str, body: bytes, *, secrets: tuple[str, ...], at: datetime) -> None:
    """Return if Stripe signed this body within the tolerance; raise RequestInvalid otherwise, never saying why."""
    signed_at, given = _read(header)
    payload = signed_at.encode() + b"." + body
    # Every pair is compared, in constant time each: how long it takes tells nothing of which one was near.
    matches = [
        hmac.compare_digest(hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest().encode(), signature)
        for secret in secrets
        for signature in given
    ]
    age_s = abs(at.timestamp() - int(signed_at))
    if not any(matches) or age_s > TOLERANCE.total_seconds():
        raise _refusal()


def _read(header: str) -> tuple[str, list[bytes]]:
    """Return the time as it was written, and the signatures of the scheme that we know."""
    if len(header) > _MOST_CHARACTERS:
        raise _refusal()
    fields = [field.strip().partition("=") for field in header.split(",")]
    times = [value for name, _, value in fields if name == "t"]
    signatures = [value.encode(errors="replace") for name, _, value in fields if name == _SCHEME]
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or not signatures:
        raise _refusal()
    return times[0], signatures


def _refusal() -> RequestInvalid:
    return RequestInvalid("signature does not match")
