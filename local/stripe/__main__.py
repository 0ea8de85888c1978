"""Starts the stand-in for Stripe on 127.0.0.1 and stops it on SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import sys

from aiohttp import web

from local.stripe.server import StripeStandIn

HOST = "127.0.0.1"


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="stripe", description="Stripe's products, prices and subscriptions, on this machine."
    )
    parser.add_argument("--port", type=int, default=3003)
    parser.add_argument("--webhook", default="http://127.0.0.1:3001/v1/webhook/stripe", help="where its events go")
    arguments = parser.parse_args()
    port = arguments.port
    try:
        web.run_app(
            StripeStandIn(arguments.webhook).app(),
            host=HOST,
            port=port,
            access_log=None,
            shutdown_timeout=1.0,
            print=lambda *_: None,
        )
    except OSError as error:
        print(f"stripe stand-in: cannot serve on port {port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
