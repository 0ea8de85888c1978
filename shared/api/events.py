"""Reads a request from the event of API Gateway or of a Function URL. Knows no endpoint."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from shared.errors import RequestInvalid


def route_of(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return method and path of a payload of version 2 (Function URL), or 1 (REST API)."""
    http = (event.get("requestContext") or {}).get("http")
    if http:
        return http.get("method", ""), event.get("rawPath") or http.get("path", "")
    return event.get("httpMethod") or "", event.get("path") or ""


def header_of(event: Mapping[str, Any], name: str) -> str | None:
    """Return a header's value, whatever the case of its name, or None; several values are one, with commas between."""
    headers = event.get("headers") or {}
    same = (value for key, value in headers.items() if key.lower() == name.lower() and isinstance(value, str))
    return next(same, None)


def raw_body_of(event: Mapping[str, Any], *, max_bytes: int, called: str = "body") -> bytes:
    """Return the body as it was sent; raise RequestInvalid for one that is too long or not the base64 it should be.

    `called` is its name in the error messages.
    """
    body = str(event.get("body") or "")
    encoded = bool(event.get("isBase64Encoded"))
    too_long = f"{called} must be at most {max_bytes // 1024} KiB"
    # Base64 takes four characters for three bytes: a body that is too long is refused before it is decoded.
    if len(body) > (max_bytes * 4 // 3 + 4 if encoded else max_bytes):
        raise RequestInvalid(too_long)
    try:
        raw = base64.b64decode(body, validate=True) if encoded else body.encode(errors="surrogatepass")
    except (binascii.Error, ValueError) as error:
        raise RequestInvalid(f"{called} must be JSON") from error
    if len(raw) > max_bytes:
        raise RequestInvalid(too_long)
    return raw
