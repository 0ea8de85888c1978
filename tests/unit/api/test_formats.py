from __future__ import annotations

import pytest

from shared.api.formats import wants_csv


@pytest.mark.parametrize(
    "accept",
    [
        "text/csv",
        "TEXT/CSV",
        "text/csv; charset=utf-8",
        "text/csv;q=0.9",
        "text/csv, */*",
        "text/csv, application/*",
        "text/csv, application/json;q=0.9",
        "application/json;q=0.5, text/csv;q=0.6",
        "text/csv;q=0.6, */*;q=0.5",
        "text/html, text/csv",
    ],
)
def test_csv_is_answered_where_it_is_preferred(accept: str) -> None:
    assert wants_csv(None, accept=accept)


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "text/*",
        "application/json",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/json, text/plain, */*",
        "text/csv, application/json",
        "application/json, text/csv;q=0.9",
        "text/csv;q=0.1, */*",
        "text/csv;q=0",
        "text/csv;q=0.000, */*;q=0",
        "text/csv;q=two",
        "text/csv;q=2",
        "text/csvs",
        ",;,=;q=",
        "text/csv;q=1e999999999",
    ],
)
def test_every_other_request_gets_json(accept: str | None) -> None:
    assert not wants_csv(None, accept=accept)


@pytest.mark.parametrize("accept", [None, "text/csv", "application/json", "*/*"])
def test_the_query_goes_before_the_header(accept: str | None) -> None:
    assert wants_csv("csv", accept=accept)
    assert not wants_csv("json", accept=accept)
