"""Runs MiniStack from the packages in the directory given, on a Python that has none installed.

Functions run on the same Python. What no layer ships they cannot import, as on AWS, and MiniStack's own packages are
not within their reach.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run it until SIGTERM."""
    sys.path.append(sys.argv.pop(1))
    from ministack.app import main as run_ministack  # noqa: PLC0415 - found only now

    run_ministack()


if __name__ == "__main__":
    main()
