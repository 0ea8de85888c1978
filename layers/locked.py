"""Extracts from `requirements.lock` what some packages need, with the locked versions, hashes and markers.

`make lock` runs it for each layer, and the local stack for MiniStack. Resolves nothing itself.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of the lock: its lines, and the packages that require it."""

    name: str
    text: str
    required_by: frozenset[str]


def read_pins(lock: str) -> dict[str, Pin]:
    """Return the packages of a lock that `uv pip compile` wrote with `# via` comments.

    A package that is pinned twice, with different markers, is one entry with both lines.
    """
    pins: dict[str, Pin] = {}
    for block in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]:
        requirement, _, comments = block.partition("    # via")
        name = re.split(r"[\s=\[]", requirement, maxsplit=1)[0]
        text, required_by = requirement.rstrip() + "\n", frozenset(comments.replace("#", " ").split())
        if twin := pins.get(name):
            text, required_by = twin.text + text, twin.required_by | required_by
        pins[name] = Pin(name=name, text=text, required_by=required_by)
    return pins


def closure(pins: dict[str, Pin], roots: Set[str]) -> set[str]:
    """Return the roots and all packages that they need; raise KeyError for a name that is not in the lock."""
    if unknown := roots - pins.keys():
        raise KeyError(f"not in the lock: {', '.join(sorted(unknown))}")
    found = set(roots)
    while more := {pin.name for pin in pins.values() if pin.required_by & found} - found:
        found |= more
    return found


def extract(lock: str, roots: Set[str], *, left_out: Set[str] = frozenset(), given: Set[str] = frozenset()) -> str:
    """Return the lock's lines for the roots, without the packages `left_out` and all that the `given` ones need."""
    pins = read_pins(lock)
    wanted = closure(pins, roots) - closure(pins, given) - left_out
    return "".join(pins[name].text for name in sorted(wanted))


def read_names(path: Path) -> tuple[set[str], set[str]]:
    """Return the packages that a file lists, one per line, and those that it excludes (`-name`)."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    names = {line for line in lines if line}
    left_out = {name for name in names if name.startswith("-")}
    return names - left_out, {name.removeprefix("-") for name in left_out}


def main() -> None:
    """Print the part of the lock for the packages in one file, without what the packages in `--given` need."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("roots", type=Path)
    parser.add_argument("--given", type=Path)
    arguments = parser.parse_args()
    roots, left_out = read_names(arguments.roots)
    given = read_names(arguments.given)[0] if arguments.given else set()
    sys.stdout.write(extract(LOCK.read_text(encoding="utf-8"), roots, left_out=left_out, given=given))


if __name__ == "__main__":
    main()
