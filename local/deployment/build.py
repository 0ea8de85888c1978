"""Builds for AWS: `make build`. Fails where the artefacts would lack byte code, which triples a function's start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from local.stack.bytecode import compile_build
from local.stack.deploy import read_template
from local.stack.places import LOCAL, ROOT, TOOLS, NotReady

AWS_BUILD = ROOT / ".aws-sam" / "build"

Run = Callable[[Sequence[str]], int]
"""Runs a program and returns its exit status."""


def build(*, run: Run, template: str = "template.yaml", into: Path = AWS_BUILD) -> int:
    """Build a template and compile for its runtime; return the exit status."""
    version = str(read_template(template)["Parameters"]["PythonRuntime"]["Default"]).removeprefix("python")
    command = [str(TOOLS / "sam"), "build", "--template-file", template, "--build-dir", str(into)]
    if failed := run(command):
        return failed
    try:
        compile_build(into, version=version, environment=os.environ, log=LOCAL / "compile-aws.log")
    except NotReady as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run_in_root(command: Sequence[str]) -> int:
    """Run a program in the project's folder and return its exit status."""
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 - our own tools


if __name__ == "__main__":
    sys.exit(build(run=run_in_root))
