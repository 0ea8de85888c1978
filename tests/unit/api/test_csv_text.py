from __future__ import annotations

import csv
import io
import re
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api.csv_text import write_csv


class Colour(StrEnum):
    RED = "RED"
    BLUE = "BLUE"


class Owner(TypedDict):
    id: str
    name: str


class Thing(TypedDict):
    Owner: Owner
    price: Decimal | None
    count: int
    active: bool
    seen: dict[Colour, str | None]


class Note(TypedDict):
    text: str


class Bag(TypedDict):
    things: list[str]


def thing(**values: Any) -> dict[str, Any]:
    usual = {"Owner": {"id": "1", "name": "a"}, "price": None, "count": 1, "active": True}
    return usual | {"seen": {Colour.RED: None, Colour.BLUE: "now"}} | values


def cell(text: str) -> str:
    return rows_of(write_csv(Note, [{"text": text}]))[1][0]


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def test_every_field_is_a_column_objects_and_enums_have_several() -> None:
    assert write_csv(Thing, [thing()]) == (
        "Owner.id,Owner.name,price,count,active,seen.RED,seen.BLUE\r\n1,a,,1,true,,now\r\n"
    )


def test_column_names_are_written_without_any_row() -> None:
    assert write_csv(Note, []) == "text\r\n"


def test_numbers_are_the_digits_that_json_shows_negative_ones_too() -> None:
    text = write_csv(Thing, [thing(price=Decimal("-19299.90"), count=-3), thing(price=Decimal("1E-8"))])
    assert [row[2:4] for row in rows_of(text)[1:]] == [["-19299.9", "-3"], ["0.00000001", "1"]]


def test_separators_in_a_cell_are_quoted() -> None:
    assert write_csv(Note, [{"text": 'a "b", c\r\nd'}]) == 'text\r\n"a ""b"", c\r\nd"\r\n'


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff20A1",
        "  =1",
        "\t=1",
        "\r=1",
        "\n=1",
        "\u00a0=1",
        '"=1',
        '=HYPERLINK("http://example.com?"&A1)',
        "-2019: Margin is insufficient.",
    ],
)
def test_formulas_become_text(text: str) -> None:
    shown = cell(text)
    assert shown == re.sub(r"(?=[=+\-@\uff1d\uff0b\uff0d\uff20])", "'", text, count=1)
    assert shown.replace("'", "", 1) == text


@pytest.mark.parametrize("text", ["a;=1;b", "a\t+1", 'a;"=A1&', "a\n@b", "a; -1"])
def test_a_spreadsheet_with_other_separators_finds_no_formula_either(text: str) -> None:
    for line in re.split(r"[\r\n]+", write_csv(Note, [{"text": text}])):
        assert not re.match(r'[\s"]*[=+\-@]', line)
        assert not any(re.match(r'[\s"]*[=+\-@]', part) for part in re.split(r"[;\t]", line))


@pytest.mark.parametrize(
    "text", ["", "Default", "a-b", "a=b", "me@example.com", "1.5 % - 2 %", "'=1", "Zoë 💥", "a,-b"]
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert cell(text) == text


TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("=+-@;,\"\t\r\n '\uff1d"), max_size=30)


@given(texts=st.lists(TEXTS, max_size=5))
def test_any_text_is_read_back_unchanged_but_for_added_apostrophes(texts: list[str]) -> None:
    names, *rows = rows_of(write_csv(Note, [{"text": text} for text in texts]))
    assert names == ["text"]
    # A row of one empty cell is written as "".
    assert [row[0].replace("'", "") for row in rows] == [text.replace("'", "") for text in texts]


@given(text=TEXTS)
def test_no_cell_begins_like_a_formula_wherever_it_is_split(text: str) -> None:
    shown = cell(text)
    assert not any(re.match(r"[\s\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]", part) for part in re.split(r"[;\t\r\n]", shown))


def test_a_value_without_a_cell_is_an_error() -> None:
    with pytest.raises(TypeError, match="list has no cell"):
        write_csv(Bag, [{"things": ["a"]}])
