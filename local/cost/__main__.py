"""`make cost`: measures the calls, keeps them in `docs/cost.json`, and writes `docs/cost.md`.

With PAGE=1 the calls are those that are kept.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

from local.cost.measuring import measure
from local.cost.page import Kept, count_resources, write_page
from local.stack.places import ROOT

KEPT = ROOT / "docs" / "cost.json"
PAGE = ROOT / "docs" / "cost.md"


def read_kept() -> Kept:
    """Return the kept figures."""
    kept: Kept = json.loads(KEPT.read_text(encoding="utf-8"))
    return kept


def main() -> int:
    """Measure, write, and return 0."""
    calls = read_kept()["calls"] if os.environ.get("PAGE") else measure()
    kept: Kept = {"calls": calls, "resources": asdict(count_resources())}
    KEPT.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(write_page(kept), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
