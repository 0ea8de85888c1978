"""Turns maintenance on or off where the API cannot: `make maintenance STAGE=prod ON=1`, or OFF=1.

Without a stage it acts on the stack of `make run`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

from local.deployment.account import OpenedStack, open_stack
from local.deployment.command import exit_status_of
from local.stack.stacks import describe, outputs_of
from shared.api.maintenance import CACHED_FOR_S


def run(opened: OpenedStack, environment: Mapping[str, str], *, write: Callable[[str], object] = print) -> int:
    """Set the switch as ON or OFF says, and say so; return the exit status."""
    on, off = environment.get("ON") == "1", environment.get("OFF") == "1"
    if on == off:
        write("say which: ON=1 or OFF=1")
        return 2
    stack = describe(opened.client("cloudformation"), opened.stack_name)
    name = outputs_of(stack)["MaintenanceParameterName"]
    opened.client("ssm").put_parameter(Name=name, Type="String", Value="on" if on else "off", Overwrite=True)
    within = f"within {CACHED_FOR_S:.0f} s"
    told = f"the API and the alerts' webhook answer 503 {within}; exits go on" if on else f"all answer again {within}"
    write(f"{opened.stack_name}: maintenance is {'on' if on else 'off'}: {told}")
    return 0


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Set maintenance of the stage that is named, or of the stack of `make run`; return the exit status."""
    return exit_status_of(lambda: run(open_stack(arguments, environment), environment))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
