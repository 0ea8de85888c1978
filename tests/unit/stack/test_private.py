"""Nobody but their owner reads a stack's files, also where files and directories have been there before."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from local.stack import private
from local.stack.processes import Process, run_tool

WRITES = "import pathlib, sys; pathlib.Path(sys.argv[1]).mkdir(); pathlib.Path(sys.argv[1], 'data').write_text('')"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("before", [None, 0o777, 0o755, 0o500])
def test_a_directory_is_its_owners(tmp_path: Path, before: int | None) -> None:
    directory = tmp_path / "above" / "directory"
    if before is not None:
        directory.mkdir(parents=True)
        directory.chmod(before)
    private.make_directory(directory)
    assert mode(directory) == 0o700


@pytest.mark.parametrize("before", [None, 0o666, 0o644, 0o600])
def test_a_file_is_its_owners_and_empty(tmp_path: Path, before: int | None) -> None:
    path = tmp_path / "file"
    if before is not None:
        path.write_text("an earlier run's long content")
        path.chmod(before)
    with private.open_file(path) as file:
        assert mode(path) == 0o600, "before anything is written"
        file.write(b"new")
    assert path.read_text() == "new"


def test_what_is_kept_is_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "aws").mkdir(mode=0o755)
    (tmp_path / "seed.json").touch(mode=0o644)
    for name in ("aws", "seed.json", "missing"):
        private.close_to_others(tmp_path / name)
    assert (mode(tmp_path / "aws"), mode(tmp_path / "seed.json")) == (0o700, 0o600)
    assert not (tmp_path / "missing").exists()


def test_a_process_its_log_and_what_it_writes_are_private(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir(mode=0o755)
    (logs / "one.log").touch(mode=0o644)
    command = [sys.executable, "-c", WRITES]
    process = Process("one", [*command, str(tmp_path / "one")], environment={}, log=logs / "one.log")
    process._popen.wait(timeout=30)
    run_tool("two", [*command, str(tmp_path / "two")], environment={}, log=logs / "two.log")
    for path in (logs, tmp_path / "one", tmp_path / "two"):
        assert mode(path) == 0o700
    for path in (*logs.iterdir(), tmp_path / "one" / "data", tmp_path / "two" / "data"):
        assert mode(path) == 0o600


def test_a_lock_is_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = private.lock(path)
    assert held is not None
    attempt = "import sys, pathlib; from local.stack import private; print(private.lock(pathlib.Path(sys.argv[1])))"

    def from_another_process() -> bool:
        root = Path(__file__).parents[3]
        command = [sys.executable, "-c", attempt, str(path)]
        return subprocess.run(command, cwd=root, capture_output=True, check=True).stdout.strip() != b"None"

    assert not from_another_process()
    held.close()
    assert from_another_process()


def test_tools_temporary_files_go_with_it(tmp_path: Path) -> None:
    script = "import sys, tempfile; print(tempfile.mkdtemp()); open(sys.argv[1], 'w').write(tempfile.gettempdir())"
    told = tmp_path / "told"

    run_tool("leaves", [sys.executable, "-c", script, str(told)], environment={}, log=tmp_path / "logs" / "tool.log")

    left_in = Path(told.read_text(encoding="utf-8"))
    assert left_in.name.startswith("lockstep-tool-")
    assert not left_in.exists()
