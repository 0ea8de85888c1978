"""The facts about Binance in docs/exchange.md: complete, each with a source and with a test that exists."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from binance_sdk_derivatives_trading_usds_futures.rest_api.api import (
    AccountApi,
    ConvertApi,
    MarketDataApi,
    TradeApi,
)

from shared.exchange import error_codes
from shared.trading import position_accounting

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "exchange.md").read_text(encoding="utf-8")
SOURCES = (
    "SDK",
    "codes",
    "general",
    "spot",
    "ccxt",
    "*reports*",
    "*our reading*",
    "exchangeInfo",
    "trading",
    "Binance",
)
SAME = "the same"


def rows() -> list[tuple[str, str, str]]:
    """Return fact, source and test of each row; a request's weight is part of its fact."""
    found = []
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| ") and cells[0] not in {"fact", "request"}:
            *fact, source, test = cells
            found.append((" | ".join(fact), source, test))
    return found


ROWS = rows()


def names_of_the_tests() -> dict[str, set[str]]:
    """Return the names of the tests in each file, by its path."""
    return {
        str(path.relative_to(ROOT)): set(
            re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        )
        for path in (ROOT / "tests").rglob("test_*.py")
    }


TESTS = names_of_the_tests()
OF_THE_PAPER_EXCHANGE = {
    path: names for path, names in TESTS.items() if path.startswith("tests/integration/paper_exchange/")
}


def test_there_are_facts() -> None:
    assert len(ROWS) > 60
    assert all(len(row) == 3 for row in ROWS)


@pytest.mark.parametrize(("fact", "source", "test"), ROWS, ids=[fact[:50] for fact, _, _ in ROWS])
def test_fact_has_a_source_and_a_test_that_exists(fact: str, source: str, test: str) -> None:
    assert any(known in source for known in SOURCES), f"{fact}: {source}"
    named = re.findall(r"`([^`]+)`", test)
    assert named or test.startswith(SAME), fact
    files = [name for name in named if name.endswith(".py")]
    for file in files:
        path = file if "/" in file else f"tests/integration/paper_exchange/{file}"
        assert path in TESTS, file
    elsewhere = [path for path in files if "/" in path]
    known = set().union(*OF_THE_PAPER_EXCHANGE.values(), *(TESTS[path] for path in elsewhere))
    assert {name for name in named if not name.endswith(".py")} <= known


def test_same_refers_to_the_row_above() -> None:
    assert not ROWS[0][2].startswith(SAME)


def test_official_client_has_each_call_that_is_named() -> None:
    calls = {name for api in (AccountApi, ConvertApi, MarketDataApi, TradeApi) for name, _ in inspect.getmembers(api)}
    named = {
        name for _, source, _ in ROWS if "SDK" in source for name in re.findall(r"`(\w+)`", source.partition("; ")[0])
    }
    assert named - calls == set()


def requests_of_the_code() -> set[str]:
    """Return the requests that the code sends by ccxt's names for them, as `GET /fapi/v1/order`."""
    pattern = re.compile(r'"((?:fapi|sapi|public|private)(?:Public|Private)?(?:V\d)?(?:Get|Post|Put|Delete)[A-Z]\w+)"')
    found = set()
    for folder in ("shared", "functions"):
        for path in (ROOT / folder).rglob("*.py"):
            found |= set(pattern.findall(path.read_text(encoding="utf-8")))
    return {_path_of(name) for name in found}


def _path_of(name: str) -> str:
    found = re.fullmatch(r"(fapi|sapi)?(?:[pP]ublic|[pP]rivate)?(V\d)?(Get|Post|Put|Delete)(\w+)", name)
    assert found is not None
    api, version, method, rest = found.groups()
    # ccxt's names for a folder and a path in it are one word.
    for folder in ("Ticker", "Account"):
        if rest.startswith(folder) and rest != folder and not rest.endswith("Config"):
            rest = f"{folder.lower()}/{rest.removeprefix(folder)[0].lower()}{rest.removeprefix(folder)[1:]}"
    number = version.lower() if version else ("v1" if api else "v3")
    return f"{method.upper()} /{api or 'api'}/{number}/{rest[0].lower()}{rest[1:]}"


def test_each_request_of_the_code_is_in_the_tables() -> None:
    sent = requests_of_the_code()
    assert "GET /fapi/v3/positionRisk" in sent
    assert "GET /sapi/v1/account/apiRestrictions" in sent
    assert {request for request in sent if f"`{request}`" not in TEXT} == set()


def codes_of_the_code() -> set[int]:
    """Return each code of the exchange that the code tells from others."""
    found = set(error_codes.ERROR_CLASSES)
    for value in vars(error_codes).values():
        if isinstance(value, frozenset):
            found |= {code for code in value if isinstance(code, int) and code < 0}
        elif isinstance(value, int) and value < 0:
            found.add(value)
    return found


def test_each_error_code_of_the_code_is_in_the_tables() -> None:
    text = " ".join(fact for fact, _, _ in ROWS)
    spans = [range(int(last), int(first) + 1) for first, last in re.findall(r"(-\d+) to (-\d+)", text)]
    named = {int(code) for code in re.findall(r"-\d{4}\b", text)}.union(*spans)
    assert codes_of_the_code() - named == set()


def test_each_client_id_of_the_exchanges_own_orders_is_in_the_tables() -> None:
    prefixes = position_accounting._EXCHANGE_CLOSES
    assert prefixes
    assert [prefix for prefix in prefixes if f"`{prefix}`" not in TEXT] == []
