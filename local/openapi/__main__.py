"""`make openapi`: writes docs/openapi.json."""

from __future__ import annotations

import json

from local.openapi.document import document
from local.stack.places import ROOT

FILE = ROOT / "docs" / "openapi.json"


def text() -> str:
    """Return the document as it is checked in."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the document."""
    FILE.write_text(text(), encoding="utf-8")
    print(f"wrote {FILE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
