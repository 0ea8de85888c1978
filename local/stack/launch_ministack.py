"""Runs MiniStack, `python -m local.stack.launch_ministack <site-packages>`, on a Python without any package.

Functions run on the same Python. What no layer ships they cannot import, as on AWS, and MiniStack's own packages are
not within their reach.
"""

from __future__ import annotations

import sys
from importlib.metadata import version

from local.stack import ministack_patch


def main() -> None:
    """Run it until SIGTERM."""
    sys.path.append(sys.argv.pop(1))
    installed = version("ministack")
    if not ministack_patch.apply(installed):
        print(f"MiniStack {installed} runs as it is: the patches fit {ministack_patch.VERSION}", flush=True)
    from ministack.app import main as run_ministack  # noqa: PLC0415 - found only now

    run_ministack()


if __name__ == "__main__":
    main()
