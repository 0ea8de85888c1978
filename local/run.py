"""`make run`: starts the stack, fires the demo alert, shows its results, and serves until Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from local.deployment.releases import name_local_release
from local.stack.places import DEFAULT_PORT, ROOT, NotReady, Places, Ports
from local.stack.running import LocalStack, Running, session_file, write_session

_MOST_FOLLOWERS = 1000
_MOST_LANES = 17


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `make run`."""

    places: Places
    demo: bool | None
    """None fires the demo alert on new data only: with kept data the followers may be in position already."""
    followers: int
    lanes: int = 1

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Options:
        """Return the options in the environment; raise NotReady for an invalid one."""
        state = environment.get("STATE", "")
        demo = environment.get("DEMO", "")
        if demo not in {"", "0", "1"}:
            raise NotReady(f"DEMO={demo} is neither 0 nor 1")
        return cls(
            places=Places(
                Ports(_whole_number(environment, "PORT", DEFAULT_PORT)),
                state=Path(state).expanduser().resolve() if state else None,
            ),
            demo=None if not demo else demo == "1",
            followers=_whole_number(environment, "FOLLOWERS", 3, most=_MOST_FOLLOWERS),
            lanes=_whole_number(environment, "LANES", 1, most=_MOST_LANES),
        )


class _Stopped(BaseException):
    """SIGINT or SIGTERM arrived."""


def run(options: Options) -> None:
    """Serve until a signal arrives or a process of the stack ends."""
    stack = LocalStack(
        options.places,
        followers=options.followers,
        lanes=options.lanes,
        report=_say,
        name_release=name_local_release,
    )
    started = time.monotonic()
    try:
        _say("Lockstep")
        running = stack.start()
        if options.demo or (options.demo is None and not running.restored):
            _show_demo(running)
        with session_file(running) as file:
            _say(_ready(running, file, seconds=time.monotonic() - started))
            _serve(stack)
    finally:
        # A second Ctrl-C must not leave processes running.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stack.stop()


def _show_demo(running: Running) -> None:
    _say("  An alert says: buy BTC/USDT at 20000, stop 19700, three take-profits.\n")
    draft = write_session(running, running.places.work / "session.json")
    result = subprocess.run(  # noqa: S603 - our own module
        [
            *(sys.executable, "-m", "local.demo", str(draft), str(running.seed_file)),
            running.deployed.outputs["ReportSenderName"],
        ],
        cwd=ROOT,
        env=running.deployed.environment(running.places),
        check=False,
    )
    draft.unlink()
    if result.returncode:
        raise NotReady(f"the demo failed; the logs are in {running.places.logs}")


def _ready(running: Running, file: Path, *, seconds: float) -> str:
    session = running.session()
    return f"""
  admin API       {session["api"]}/v1/admin/…
  to try it out   {session["api"]}/docs
  webhook         {session["webhook"]}/v1/webhook/strategy
  paper exchange  {session["exchange"]}
  Stripe          {session["stripe"]} (a stand-in; what it received: /stand-in/requests)
  Telegram        {session["telegram"]} (a stand-in; what the bot sent: /stand-in/messages)
  AWS             {session["aws"]}
  tokens, strategy and webhook secret are in {file.relative_to(ROOT)}; logs in {running.places.logs.relative_to(ROOT)}

ready ({seconds:.0f} s) - Ctrl-C stops everything"""


def _serve(stack: LocalStack) -> None:
    while (ended := stack.ended_process()) is None:
        time.sleep(0.5)
    raise NotReady(f"{ended.name} has ended; its log ends with:\n{ended.tail()}")


def _whole_number(environment: Mapping[str, str], name: str, default: int, *, most: int | None = None) -> int:
    text = environment.get(name, "") or str(default)
    if not text.isascii() or not text.isdigit() or not int(text) or (most is not None and int(text) > most):
        limit = f" of at most {most}" if most else ""
        raise NotReady(f"{name}={text} is not a whole number above 0{limit}")
    return int(text)


def _say(line: str) -> None:
    print(line, flush=True)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise _Stopped


def main() -> int:
    """Run; on NotReady print one line that says what to do."""
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    try:
        run(Options.read(os.environ))
    except NotReady as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1
    except _Stopped:
        _say("\nstopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
