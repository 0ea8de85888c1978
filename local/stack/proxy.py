"""Serves the REST API and the Function URLs at short addresses: `python -m local.stack.proxy`.

Requests are forwarded as they are, those to Function URLs with what CloudFront adds on AWS. The embedded AWS serves
them under long paths, which clients of `http://127.0.0.1:3000` must not need. The API's port also serves the API's
browsable page.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from yarl import URL

from local.docs_page.page import WEBHOOK_PREFIX, add_page
from local.loopback.middleware import Handler
from local.stack.edge import with_edge_headers

_HOP_BY_HOP = {
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_MAX_BODY = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Route:
    """A local port, and the base address that its requests go to."""

    port: int
    base: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the route written as PORT=BASE."""
        port, _, base = text.partition("=")
        return cls(int(port), base)


def forward(session: ClientSession, base: str, *, prefix: str = "", as_edge: bool = False) -> Handler:
    """Return a handler that forwards every request to `base` and its path without `prefix`.

    `as_edge` adds what CloudFront does.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP]
        if as_edge and request.transport is not None:
            headers = with_edge_headers(headers, sender=request.transport.get_extra_info("peername")[:2])
        try:
            async with session.request(
                request.method,
                URL(base + request.raw_path.removeprefix(prefix), encoded=True),
                headers=headers,
                data=await request.read(),
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
        except (ClientError, TimeoutError) as error:
            return web.json_response({"message": f"the embedded AWS does not answer: {error}"}, status=502)
        response = web.Response(status=answer.status, body=body)
        response.headers.clear()
        for name, value in answer.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                response.headers.add(name, value)
        return response

    return handle


def application(
    handle: Handler,
    *,
    beside: Mapping[str, Handler] | None = None,
    page: Callable[[web.Application], None] | None = None,
) -> web.Application:
    """Return an application with `page`, the handlers of the paths in `beside`, and `handle` for every other path."""
    made = web.Application(client_max_size=_MAX_BODY)
    for path, other in (beside or {}).items():
        made.router.add_route("*", path, other)
    if page is not None:
        page(made)
    made.router.add_route("*", r"/{path:[\s\S]*}", handle)
    return made


async def serve(*, api: Route, webhook: Route, beside_webhook: Mapping[str, str], seed_file: Path) -> None:
    """Serve both ports on 127.0.0.1 until SIGTERM or SIGINT; `beside_webhook` are paths of other Function URLs."""
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    # Compressed answers are forwarded as they are, as the client requested them.
    connector = TCPConnector(limit=0, keepalive_timeout=30)
    async with ClientSession(connector=connector, auto_decompress=False, timeout=ClientTimeout(total=65)) as session:
        from_page = forward(session, webhook.base, prefix=WEBHOOK_PREFIX, as_edge=True)
        page = partial(add_page, seed_file=seed_file, webhook=from_page)
        applications = {
            api.port: application(forward(session, api.base), page=page),
            webhook.port: application(
                forward(session, webhook.base, as_edge=True),
                beside={path: forward(session, base, as_edge=True) for path, base in beside_webhook.items()},
            ),
        }
        runners = [web.AppRunner(one, access_log=None) for one in applications.values()]
        for port, runner in zip(applications, runners, strict=True):
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
        await done.wait()
        for runner in runners:
            await runner.cleanup()


def main() -> None:
    """Serve the routes given as PORT=BASE."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api", type=Route.read, required=True, metavar="PORT=BASE")
    parser.add_argument("--webhook", type=Route.read, required=True, metavar="PORT=BASE")
    parser.add_argument("--beside-webhook", action="append", default=[], metavar="PATH=BASE")
    parser.add_argument("--seed-file", type=Path, required=True, help="where the seed writes the demo's token")
    arguments = parser.parse_args()
    beside = dict(one.split("=", 1) for one in arguments.beside_webhook)
    asyncio.run(
        serve(api=arguments.api, webhook=arguments.webhook, beside_webhook=beside, seed_file=arguments.seed_file)
    )


if __name__ == "__main__":
    main()
