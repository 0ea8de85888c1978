"""Files and directories that their owner alone may read: a stack's tokens, keys, data and logs. Knows no stack."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

UMASK = 0o077
"""Of every process of a stack: what it creates is its owner's alone."""
_DIRECTORY, _FILE = 0o700, 0o600


def make_directory(path: Path) -> None:
    """Create the directory where it is missing, and let nobody else in, also where it has been there before."""
    path.mkdir(mode=_DIRECTORY, parents=True, exist_ok=True)
    path.chmod(_DIRECTORY)


def open_file(path: Path) -> IO[bytes]:
    """Return the file, emptied for writing; nobody else may read it, also where it has been there before."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _FILE), "wb")
    os.fchmod(file.fileno(), _FILE)
    file.truncate()
    return file


def close_to_others(path: Path) -> None:
    """Take everybody else's rights from a file or directory that is there."""
    if path.exists():
        path.chmod(_DIRECTORY if path.is_dir() else _FILE)


def lock(path: Path) -> IO[bytes] | None:
    """Return the file, locked until it is closed or this process ends; None if another process has it locked."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _FILE), "wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
