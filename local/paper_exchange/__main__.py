"""Starts the paper exchange on 127.0.0.1 and stops it on SIGINT or SIGTERM, its state saved."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from aiohttp import web

from local.paper_exchange import state
from local.paper_exchange.server import PaperExchange
from local.paper_exchange.venue import Venue

HOST = "127.0.0.1"
_SHUTDOWN_S = 1.0


async def serve(exchange: PaperExchange, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    runner = web.ServerRunner(web.Server(exchange.handle, access_log=None), shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    try:
        await web.TCPSite(runner, HOST, port, backlog=1024).start()
        print(f"paper exchange on http://{HOST}:{port}", flush=True)
        await stopped.wait()
    finally:
        exchange.save()
        await runner.cleanup()


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="paper_exchange", description="An exchange on paper that speaks Binance.")
    parser.add_argument("--port", type=int, default=3002)
    parser.add_argument("--state", type=Path, default=None, help="file that keeps accounts and orders over restarts")
    parser.add_argument("--full-listing", action="store_true", help="list some 600 symbols, as the exchange does")
    arguments = parser.parse_args()
    state_file: Path | None = arguments.state
    try:
        venue = state.load(state_file) if state_file is not None and state_file.exists() else Venue()
        if arguments.full_listing:
            venue.list_symbols(full=True)
        asyncio.run(serve(PaperExchange(venue, state_file), arguments.port))
    except OSError as error:
        print(f"paper exchange: cannot serve on port {arguments.port}: {error.strerror}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"paper exchange: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
