from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.stack.bytecode import compile_build, without_byte_code
from local.stack.places import NotReady, python_version


def artefact(build: Path, name: str, text: str = "def where():\n    raise ValueError\n") -> Path:
    folder = build / name
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "module.py").write_text(text, encoding="utf-8")
    return folder


def compile_here(build: Path) -> None:
    compile_build(build, version=python_version(), environment=os.environ, log=build.with_suffix(".log"))


def test_compiled_module_is_used_whatever_its_source_says_later(tmp_path: Path) -> None:
    folder = artefact(tmp_path, "SharedLayer")
    compile_here(tmp_path)
    assert list(without_byte_code(tmp_path, version=python_version())) == []
    (folder / "package" / "module.py").write_text("raise SystemExit('compiled again')\n", encoding="utf-8")
    ran = subprocess.run([sys.executable, "-c", "import package.module"], cwd=folder, check=False)
    assert ran.returncode == 0


def test_byte_code_names_no_path_of_the_machine_that_built_it(tmp_path: Path) -> None:
    folder = artefact(tmp_path, "SharedLayer")
    compile_here(tmp_path)
    (compiled,) = (folder / "package" / "__pycache__").iterdir()
    assert str(tmp_path).encode() not in compiled.read_bytes()


def test_build_of_another_version_counts_as_not_compiled(tmp_path: Path) -> None:
    artefact(tmp_path, "SharedLayer")
    compile_here(tmp_path)
    assert [path.name for path in without_byte_code(tmp_path, version="2.7")] == ["module.py"]


def test_module_that_cannot_be_compiled_fails_the_build(tmp_path: Path) -> None:
    artefact(tmp_path, "OrderExecutor", "def broken(:\n")
    with pytest.raises(NotReady, match="compiling for Python"):
        compile_build(tmp_path, version=python_version(), environment=os.environ, log=tmp_path / "log")


def test_python_that_is_not_installed_fails_the_build_and_says_what_to_install(tmp_path: Path) -> None:
    artefact(tmp_path, "OrderExecutor")
    offline = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    with pytest.raises(NotReady, match=r"\.venv/bin/uv python install 3\.99"):
        compile_build(tmp_path, version="3.99", environment=offline, log=tmp_path / "log")
