"""The environment that the product finds: variables, and a process that keeps nothing of another environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from shared import process_state


@contextmanager
def environment(**variables: str | None) -> Iterator[None]:
    """Set variables (None unsets one) in a process as new as a container's; afterwards it is as new once more."""
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    process_state.reset()
    try:
        yield
    finally:
        _set(before)
        process_state.reset()


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
