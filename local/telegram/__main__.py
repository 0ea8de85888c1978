"""Starts the stand-in for Telegram on 127.0.0.1 and stops it on SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import sys

from aiohttp import web

from local.telegram.server import TelegramStandIn

HOST = "127.0.0.1"


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="telegram", description="Telegram's Bot API, on this machine.")
    parser.add_argument("--port", type=int, default=3004)
    port = parser.parse_args().port
    try:
        web.run_app(
            TelegramStandIn().app(), host=HOST, port=port, access_log=None, shutdown_timeout=1.0, print=lambda *_: None
        )
    except OSError as error:
        print(f"telegram stand-in: cannot serve on port {port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
