"""`make invoke`: calls one handler in this process with a sample event, and prints its answer. Starts no stack.

Uses the running stack of `make run` when there is one.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import dataclass

from local.stack.deploy import find
from local.stack.places import ROOT, Places, Ports
from local.stack.running import SESSION_FILE


@dataclass(frozen=True, slots=True)
class Context:
    """What Lambda tells a handler about an invocation."""

    function_name: str
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:local"
    aws_request_id: str = "00000000-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """Return as much time as a fresh invocation has."""
        return 29_000


def _use_running_stack() -> None:
    if not SESSION_FILE.exists():
        print("No stack is running (make run): calls to AWS will fail.", file=sys.stderr)
        return
    session = json.loads(SESSION_FILE.read_text(encoding="utf-8"))
    places = Places(Ports(int(session["api"].rsplit(":", 1)[1])))
    if deployed := find(places):
        os.environ.update(deployed.environment(places))


def main() -> int:
    """Call the handler named by the first argument with the event named by the second."""
    function, event = [*sys.argv[1:], "", ""][:2]
    path = ROOT / "events" / function / f"{event}.json"
    if not function or not path.is_file():
        known = sorted(f"{one.parent.name} {one.stem}" for one in (ROOT / "events").glob("*/*.json"))
        print("make invoke f=<function> e=<event>, with one of:\n  " + "\n  ".join(known), file=sys.stderr)
        return 1
    _use_running_stack()
    handler = importlib.import_module(f"functions.{function}.app").lambda_handler
    answer = handler(json.loads(path.read_text(encoding="utf-8")), Context(function))
    print(json.dumps(answer, indent=2, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
