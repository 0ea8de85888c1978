"""Ends a command at the terminal with an exit status: what stops it is told in one line, not by a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from local.deployment.preflight import NotOpened


def exit_status_of(command: Callable[[], int], *, advice: str = "") -> int:
    """Run a command and return its exit status; `advice` is added where AWS refuses or cannot be reached."""
    try:
        return command()
    except NotOpened as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except (BotoCoreError, ClientError) as error:
        print(f"AWS refuses this, or cannot be reached: {error}{advice}", file=sys.stderr)
        return 1
