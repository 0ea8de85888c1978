"""What CloudFront adds to each request on AWS. Here the proxy does, so that the webhooks check it as they do there."""

from __future__ import annotations

from collections.abc import Iterable

EDGE_SECRET = "the-local-stack-has-a-proxy-for-cloudfront"  # noqa: S105 - of the local stack only

SENDERS = "127.0.0.0/8"
"""Networks that alerts may come from."""


def with_edge_headers(headers: Iterable[tuple[str, str]], *, sender: tuple[str, int]) -> list[tuple[str, str]]:
    """Return a request's headers with CloudFront's own in place of those that the sender has written."""
    address, port = sender
    own = {"X-Edge-Secret": EDGE_SECRET, "CloudFront-Viewer-Address": f"{address}:{port}"}
    names = {name.lower() for name in own}
    return [*((name, value) for name, value in headers if name.lower() not in names), *own.items()]
