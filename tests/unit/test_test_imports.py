"""What tests share is in modules of its own: a conftest holds fixtures, which pytest finds by itself."""

from __future__ import annotations

import ast

from local.stack.places import ROOT


def test_nothing_is_imported_from_a_conftest() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("conftest")
    ]
    assert found == []
