"""Lets an aiohttp server answer this machine's own programs and pages only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from local.loopback import REFUSAL, is_local

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def local_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer with 403 where Host or Origin is foreign, otherwise with what the handler answers."""
    if not is_local(host=request.headers.get("Host"), origin=request.headers.get("Origin")):
        raise web.HTTPForbidden(text=REFUSAL)
    return await handler(request)
