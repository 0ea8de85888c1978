"""Removes what the functions do not use from a layer: other exchanges of ccxt, services of botocore, AVIF of Pillow.

Smaller layers start faster. Runs inside `sam build`, on the build directory only; never on an environment.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

EXCHANGES = {"binance", "binanceusdm"}
AWS_SERVICES = {"cloudwatch", "cognito-idp", "dynamodb", "kms", "lambda", "sesv2", "sqs", "ssm", "sts"}

_EXCHANGE_IMPORT = re.compile(r"^from ccxt(?:\.async_support)?\.(\w+)\s+import (\w+)\b.*\n", re.MULTILINE)
_EXCHANGE_NAME = re.compile(r"^    '(\w+)',\n", re.MULTILINE)


def slim_ccxt(ccxt: Path) -> None:
    """Remove the other exchanges, also from the two `__init__` files."""
    for package in (ccxt, ccxt / "async_support"):
        for path in package.iterdir():
            if path.name not in {"__init__.py", "base", "async_support", "abstract", *_files(EXCHANGES)}:
                _remove(path)
        init = package / "__init__.py"
        init.write_text(_without_other_exchanges(init.read_text(encoding="utf-8")), encoding="utf-8")
    for path in (ccxt / "abstract").iterdir():
        if path.name not in {"__init__.py", *_files(EXCHANGES)}:
            _remove(path)


def slim_botocore(botocore: Path) -> None:
    """Remove the descriptions of other services; keep the files that every service needs."""
    for path in (botocore / "data").iterdir():
        if path.is_dir() and path.name not in AWS_SERVICES:
            _remove(path)


def slim_pillow(site: Path) -> None:
    """Remove AVIF, a quarter of the package that no other format loads."""
    for pattern in ("PIL/_avif.*", "pillow.libs/libavif-*"):
        for path in list(site.glob(pattern)):
            _remove(path)


def slim_all(site: Path) -> None:
    """Remove what no import needs: commands, C sources, tests of packages, byte code of the builder's Python."""
    _remove(site / "bin")
    for pattern in ("**/__pycache__", "**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.c", "**/*.h", "*/tests"):
        for path in list(site.glob(pattern)):
            _remove(path)


def _without_other_exchanges(init: str) -> str:
    others = {name for module, name in _EXCHANGE_IMPORT.findall(init) if module == name} - EXCHANGES
    init = _EXCHANGE_IMPORT.sub(lambda line: "" if line[2] in others else line[0], init)
    return _EXCHANGE_NAME.sub(lambda line: "" if line[1] in others else line[0], init)


def _files(modules: set[str]) -> set[str]:
    return {f"{module}.py" for module in modules}


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    """Slim the layer in the directory given."""
    site = Path(sys.argv[1])
    slim_all(site)
    if (site / "ccxt").is_dir():
        slim_ccxt(site / "ccxt")
    if (site / "botocore").is_dir():
        slim_botocore(site / "botocore")
    if (site / "PIL").is_dir():
        slim_pillow(site)


if __name__ == "__main__":
    main()
