"""Serves the REST API and the Function URL at plain addresses: `python -m local.stack.proxy`. Changes no request.

The embedded AWS has them under long paths; a client that was told `http://127.0.0.1:3000` must not know.
"""

from __future__ import annotations

import argparse
import asyncio
import signal

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from yarl import URL

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


def forward(session: ClientSession, base: str) -> web.Application:
    """Return an application that sends every request on to `base` + its path."""

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP]
        try:
            async with session.request(
                request.method,
                URL(base + request.raw_path, encoded=True),
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

    application = web.Application(client_max_size=_MAX_BODY)
    application.router.add_route("*", "/{path:.*}", handle)
    return application


async def serve(routes: dict[int, str]) -> None:
    """Serve each port on 127.0.0.1 with its base until SIGTERM or SIGINT."""
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    # Compressed answers are passed on as they are: the client asked for them.
    connector = TCPConnector(limit=0, keepalive_timeout=30)
    async with ClientSession(connector=connector, auto_decompress=False, timeout=ClientTimeout(total=65)) as session:
        runners = [web.AppRunner(forward(session, base), access_log=None) for base in routes.values()]
        for port, runner in zip(routes, runners, strict=True):
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
        await done.wait()
        for runner in runners:
            await runner.cleanup()


def main() -> None:
    """Serve the routes given as PORT=BASE."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("routes", nargs="+", metavar="PORT=BASE")
    routes = dict(route.split("=", 1) for route in parser.parse_args().routes)
    asyncio.run(serve({int(port): base for port, base in routes.items()}))


if __name__ == "__main__":
    main()
