"""Builds the template for the host's Python with `sam build`, unless nothing has changed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from local.stack import private
from local.stack.bytecode import compile_build
from local.stack.places import LOCAL, ROOT, TOOLS, Places, architecture, python_version
from local.stack.processes import run_tool

BUILD = LOCAL / "build"
BUILT_TEMPLATE = BUILD / "template.yaml"
BUILT_LANE = LOCAL / "build-lane" / "template.yaml"

EMPTY = '""'
"""An empty value, as SAM CLI reads it."""

NameRelease = Callable[[Path, Places], AbstractContextManager[Path]]
"""Gives a copy of a built template that names its release, and the tables that its stack has."""

_SOURCES = ("samconfig.toml", "layers", "shared", "functions")


def parameters(**values: str) -> list[str]:
    """Return the `--parameter-overrides` of `sam build` and `sam deploy`."""
    return overrides_of({"PythonRuntime": f"python{python_version()}", "Architecture": architecture(), **values})


def overrides_of(values: Mapping[str, str]) -> list[str]:
    """Return the arguments that give SAM CLI these template parameters.

    An empty value is written as `""`: without the quotes SAM CLI reads another parameter, and keeps the stack's value.
    """
    pairs = (f"ParameterKey={key},ParameterValue={value or EMPTY}" for key, value in values.items())
    return ["--parameter-overrides", *pairs]


def build(template: str = "template.yaml", *, into: Path = BUILT_TEMPLATE) -> bool:
    """Update the build of a template; return False if it was up to date."""
    private.make_directory(LOCAL)
    folder = into.parent
    stamp = LOCAL / f"{folder.name}.sha256"
    with _build_lock():
        wanted = fingerprint(template)
        if into.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
            return False
        stamp.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        run_tool(
            "sam build",
            [
                *(str(TOOLS / "sam"), "build", "--template-file", template, "--build-dir", str(folder)),
                *("--cache-dir", str(LOCAL / f"build-cache-{python_version()}-{architecture()}")),
                *parameters(),
            ],
            environment=_build_environment(),
            log=LOCAL / "build.log",
        )
        compile_build(folder, version=python_version(), environment=_build_environment(), log=LOCAL / "compile.log")
        stamp.write_text(wanted, encoding="ascii")
        return True


def as_built(template: Path, _places: Places) -> AbstractContextManager[Path]:
    """Return a built template that names no release, as it is."""
    return nullcontext(template)


def fingerprint(template: str = "template.yaml") -> str:
    """Return a hash of everything that a template's build depends on."""
    digest = hashlib.sha256(f"{python_version()} {architecture()}".encode())
    for path in _input_files(template):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _input_files(template: str) -> Iterator[Path]:
    for name in (template, *_SOURCES):
        path = ROOT / name
        if path.is_file():
            yield path
        else:
            found = (entry for entry in path.rglob("*") if entry.is_file() and "__pycache__" not in entry.parts)
            yield from sorted(found)


def _build_environment() -> dict[str, str]:
    # The layers' packages need the user's proxy and index settings; the user's AWS settings must not be used.
    user = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return user | {
        "PATH": f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(LOCAL / "sam"),
        "LAYER_PYTHON": python_version(),
        "LAYER_PLATFORM": "",
    }


@contextmanager
def _build_lock() -> Iterator[None]:
    with (LOCAL / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
