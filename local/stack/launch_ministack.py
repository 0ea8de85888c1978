"""Runs MiniStack, `python -m local.stack.launch_ministack <site-packages>`, on a Python without any package.

Functions run on the same Python. What no layer ships they cannot import, as on AWS, and MiniStack's own packages are
not within their reach.

Its own server, Hypercorn, parses HTTP in Python, which is half of the CPU that a request costs; Uvicorn leaves that to
a parser in C, and the event loop too. Everything that a stack does goes through this one process.
"""

from __future__ import annotations

import os
import resource
import sys
from importlib.metadata import version

from local.stack import ministack_patch

_KEEP_ALIVE_S = 75
"""As MiniStack has it: functions keep their connections between invocations."""


def main() -> None:
    """Run it until SIGTERM."""
    sys.path.append(sys.argv.pop(1))
    installed = version("ministack")
    if not ministack_patch.apply(installed):
        print(f"MiniStack {installed} runs as it is: the patches fit {ministack_patch.VERSION}", flush=True)
    import uvicorn  # noqa: PLC0415 - found only now
    from ministack.app import app  # noqa: PLC0415 - found only now

    # Each worker has three pipes, and connections of its own.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvicorn.run(
        app,
        host=os.environ["BIND_HOST"],
        port=int(os.environ["GATEWAY_PORT"]),
        http="httptools",
        loop="uvloop",
        # MiniStack writes its own Date, and takes a caller for who it is.
        date_header=False,
        server_header=False,
        proxy_headers=False,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_S,
    )


if __name__ == "__main__":
    main()
