"""Compiles what `sam build` has made, so that no function compiles its code at every cold start.

Layers of packages are compiled while they are built (`layers/Makefile`), and cached so. This compiles our own code, and
checks that nothing was left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from local.stack.places import TOOLS, NotReady
from local.stack.processes import run_tool


def compile_build(build: Path, *, version: str, environment: Mapping[str, str], log: Path) -> None:
    """Compile the artefacts in `build` for Python `version` (`3.13`); raise NotReady if any module is left without."""
    uncompiled = {path.relative_to(build).parts[0] for path in without_byte_code(build, version=version)}
    if uncompiled:
        run_tool(
            f"compiling for Python {version} (not installed? `.venv/bin/uv python install {version}` fetches one)",
            [
                *(str(TOOLS / "uv"), "run", "--quiet", "--no-project", "--python", version, "-m", "compileall"),
                # Unchecked byte code stays valid after unzipping, whatever the files' times; no path of this machine.
                *("-q", "--invalidation-mode", "unchecked-hash", "-s", str(build), "-p", "/"),
                *(str(build / artefact) for artefact in sorted(uncompiled)),
            ],
            environment=environment,
            log=log,
        )
    left = sorted(str(path.relative_to(build)) for path in without_byte_code(build, version=version))
    if left:
        raise NotReady(f"{len(left)} modules of the build have no byte code, such as {left[0]}")


def without_byte_code(build: Path, *, version: str) -> Iterator[Path]:
    """Yield the modules of a build whose byte code for Python `version` is missing."""
    tag = f"cpython-{version.replace('.', '')}"
    for path in build.rglob("*.py"):
        if not (path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc").exists():
            yield path
