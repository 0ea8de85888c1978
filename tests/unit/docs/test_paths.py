"""Paths that the documents name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.stack.places import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").glob("*.md")])

FILES = {
    path.name
    for folder in ("functions", "layers", "local", "shared", "tests")
    for path in (ROOT / folder).rglob("*.py")
}

# A path from the root, by its first folder; a placeholder (`<name>`) or a pattern (`*`) names no file.
PATH = re.compile(
    r"(?:\.ci|\.github|docs|events|functions|layers|local|shared|tests)/[\w./-]*\w|template\.yaml|Makefile"
)
FILE = re.compile(r"\w+\.py")
MODULE = re.compile(r"(?:functions|local|shared|tests)(?:\.[a-z_]\w*)+")
LINK = re.compile(r"\]\(([^)#\s:]+)(?:#([\w-]+))?\)")


def code_spans(document: Path) -> list[str]:
    """Return what the document shows as code within its text."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [word for span in re.findall(r"`([^`]+)`", text) for word in span.split()]


def is_module(name: str) -> bool:
    """Return whether the dotted name is a module or package, or a name within one."""
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file() or f"{path.name}" in source_of(path.parent)


def source_of(path: Path) -> str:
    file = path.with_suffix(".py")
    return file.read_text(encoding="utf-8") if file.is_file() else ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_modules_and_links_of_a_document_exist(document: Path) -> None:
    words = code_spans(document)
    missing = [word for word in words if PATH.fullmatch(word) and not (ROOT / word).exists()]
    missing += [word for word in words if MODULE.fullmatch(word) and not is_module(word)]
    missing += [word for word in words if FILE.fullmatch(word) and word not in FILES]
    links = LINK.findall(document.read_text(encoding="utf-8"))
    missing += [link for link, _ in links if not (document.parent / link).exists()]
    assert missing == []


def test_the_readmes_layout_names_every_part_of_shared() -> None:
    layout = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Layout")[2].partition("\n## ")[0]
    section = layout[layout.index("\nshared/") : layout.index("\nlayers/")]
    named = set(re.findall(r"^  (\w+)(?:/|\.py) ", section, flags=re.MULTILINE))
    present = {path.stem for path in (ROOT / "shared").glob("*.py")} - {"__init__"}
    present |= {path.parent.name for path in (ROOT / "shared").glob("*/__init__.py")}
    assert named == present
