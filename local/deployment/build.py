"""Builds for AWS: `make build`. Fails where the artefacts would lack byte code, which triples a function's start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from local.stack.bytecode import compile_build
from local.stack.deploy import read_template
from local.stack.places import LOCAL, ROOT, TOOLS, NotReady

AWS_BUILD = ROOT / ".aws-sam" / "build"

Run = Callable[[Sequence[str]], int]
"""Runs a program and returns its exit status."""


def build(*, run: Run) -> int:
    """Build and compile for the runtime of the template; return the exit status."""
    version = str(read_template()["Parameters"]["PythonRuntime"]["Default"]).removeprefix("python")
    if failed := run([str(TOOLS / "sam"), "build"]):
        return failed
    try:
        compile_build(AWS_BUILD, version=version, environment=os.environ, log=LOCAL / "compile-aws.log")
    except NotReady as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run_in_root(command: Sequence[str]) -> int:
    """Run a program in the project's folder and return its exit status."""
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 - our own tools


if __name__ == "__main__":
    sys.exit(build(run=run_in_root))
