"""Runs MiniStack, `python -m local.stack.launch_ministack <site-packages>`, on a Python without any package.

Functions run on the same Python, so they can import only what a layer ships, as on AWS, and none of MiniStack's own
packages.

Its own server, Hypercorn, parses HTTP in Python, which takes half of a request's CPU time. Uvicorn uses a parser and an
event loop in C. Everything that a stack does goes through this one process.
"""

from __future__ import annotations

import os
import resource
import sys
from importlib.metadata import version
from pathlib import Path

from local.stack import ministack_patch, role_rights
from local.stack.aws_guard import Access, guarded

_KEEP_ALIVE_S = 75
"""MiniStack's own value: functions keep their connections between invocations."""


def main() -> None:
    """Run it until SIGTERM."""
    sys.path.append(sys.argv.pop(1))
    installed = version("ministack")
    rights = Path(os.environ.pop("RIGHTS_RECORD"))
    if ministack_patch.apply(installed):
        role_rights.apply(role_rights.Record(rights))
    else:
        print(f"MiniStack {installed} runs as it is: the patches fit {ministack_patch.VERSION}", flush=True)
    import uvicorn  # noqa: PLC0415 - importable only now
    from ministack.app import app  # noqa: PLC0415

    # Each worker needs three pipes and its own connections.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvicorn.run(
        guarded(app, _access()),
        host=os.environ["BIND_HOST"],
        port=int(os.environ["GATEWAY_PORT"]),
        http="httptools",
        loop="uvloop",
        # MiniStack writes its own Date header, and needs the real client address.
        date_header=False,
        server_header=False,
        proxy_headers=False,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_S,
    )


def _access() -> Access:
    from ministack.core.iam_actions import unsigned_operations  # noqa: PLC0415 - importable only now
    from ministack.core.router import extract_access_key_id  # noqa: PLC0415
    from ministack.services import sts  # noqa: PLC0415

    own = os.environ["AWS_ACCESS_KEY_ID"]
    return Access(
        key_of=extract_access_key_id,
        is_known=lambda key: key == own or key in sts._sessions,
        is_unsigned=lambda operation: operation in unsigned_operations("cognito-idp"),
    )


if __name__ == "__main__":
    main()
