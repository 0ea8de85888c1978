"""Authenticates a request by key, signature and timestamp. Reads no other parameter."""

from __future__ import annotations

import hashlib
import hmac
import re

from local.paper_exchange.accounts import Account, FurtherKey
from local.paper_exchange.refusals import Refusal
from local.paper_exchange.venue import Venue

DEFAULT_RECV_WINDOW_MS = 5_000
MAX_RECV_WINDOW_MS = 60_000
# The most that a client's clock may be ahead of the exchange's.
MAX_AHEAD_MS = 1_000
_API_KEY = re.compile(r"^[A-Za-z0-9_.:-]{1,128}$")
_SIGNATURE = re.compile(r"(^|&)signature=[^&]*")


def find_key(venue: Venue, api_key: str | None) -> Account | FurtherKey:
    """Return what holds the key's secret and permissions, or refuse a malformed (-2014) or unknown (-2015) key."""
    if api_key is None or not _API_KEY.match(api_key):
        raise Refusal(-2014)
    key = venue.find_key(api_key)
    if key is None or not key.permissions.can_read:
        raise Refusal(-2015)
    return key


def check_signature(key: Account | FurtherKey, query: str, body: str, signature: str | None) -> None:
    """Refuse a request that is not signed with the key's secret over query and body as sent."""
    if not signature:
        raise Refusal(-1102, "signature")
    signed = _SIGNATURE.sub("", query) + _SIGNATURE.sub("", body)
    expected = hmac.new(key.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature.lower()):
        raise Refusal(-1022)


def check_time(timestamp: str | None, recv_window: str | None, now_ms: int) -> None:
    """Refuse a request that is past its window, or too far in the future."""
    if not timestamp or not timestamp.isdigit():
        raise Refusal(-1102, "timestamp")
    window_ms = DEFAULT_RECV_WINDOW_MS
    if recv_window:
        if not recv_window.isdigit():
            raise Refusal(-1102, "recvWindow")
        window_ms = int(recv_window)
        if window_ms > MAX_RECV_WINDOW_MS:
            raise Refusal(-1131)
    sent_ms = int(timestamp)
    if sent_ms > now_ms + MAX_AHEAD_MS:
        raise Refusal(-1021, msg=f"Timestamp for this request was {MAX_AHEAD_MS}ms ahead of the server's time.")
    if now_ms - sent_ms > window_ms:
        raise Refusal(-1021)
