from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api.json_text import Dialect, NumberText, OutsizedNumber, exact_number, read_json, read_object, write_json
from shared.errors import RequestInvalid
from shared.models.exchange_key import TradeType
from tests.unit.records import STARTED_AT


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("13371.62664883"), "13371.62664883"),
        (Decimal("-78.7057"), "-78.7057"),
        (Decimal("20"), "20"),
        (Decimal("20.00"), "20"),
        (Decimal("1.50"), "1.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-8"), "0.00000001"),
        (Decimal("0.000"), "0"),
        (Decimal("-0.0"), "0"),
        (19203.92860662, "19203.92860662"),
        (0.1 + 0.2, "0.30000000000000004"),
        (12924.0, "12924"),
        (1e-07, "0.0000001"),
        (1666375929485, "1666375929485"),
        (True, "true"),
        (None, "null"),
        (TradeType.SPOT, '"SPOT"'),
        (STARTED_AT, '"2022-09-09T01:57:36.304Z"'),
        (STARTED_AT + timedelta(milliseconds=-304), '"2022-09-09T01:57:36.000Z"'),
        ({"a": [Decimal("0.5"), {}], "b": ()}, '{"a":[0.5,{}],"b":[]}'),
        ('"<\u00e9>\n', '"\\"<\\u00e9>\\n"'),
    ],
)
def test_values_are_written_as_documented(value: object, text: str) -> None:
    assert write_json(value) == text


def test_huge_exponent_stays_short() -> None:
    assert write_json(Decimal("1E+999999")) == "1E+999999"


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), float("nan"), float("-inf")])
def test_values_without_a_json_number_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="no number"):
        write_json(value)


def test_unknown_kinds_of_values_are_refused() -> None:
    with pytest.raises(TypeError):
        write_json({"at": object()})


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_decimals_come_back_unchanged(number: Decimal) -> None:
    assert Decimal(str(read_json(write_json(number)))) == number


@pytest.mark.parametrize("text", ["", "NaN", '{"a": Infinity}', "[1,]", "{'a': 1}", "[" * 100_000])
def test_text_that_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(text)


def test_numbers_are_read_exactly() -> None:
    assert read_json('[0.1, 1e2, 7, "7"]') == [Decimal("0.1"), Decimal(100), 7, "7"]


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,60})(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,30})?", fullmatch=True))
def test_any_number_is_read_exactly_or_kept_as_it_was_written(text: str) -> None:
    number = exact_number(text)
    if isinstance(number, OutsizedNumber):
        assert write_json(number) == text
    else:
        assert number == Decimal(text)


@pytest.mark.parametrize("text", ["9" * 4001, "0." + "1" * 4000, "1e10000", "1E-10000", "-0e" + "9" * 5000])
def test_number_that_python_cannot_hold_is_kept_as_it_was_written(text: str) -> None:
    assert write_json(read_object(f'{{"a":{text}}}'.encode())) == f'{{"a":{text}}}'


@pytest.mark.parametrize("text", ["9" * 4000, "1e9999", "1e+0000000000000009999", "1.5E-9999"])
def test_number_that_python_can_hold_is_a_number(text: str) -> None:
    assert exact_number(text) == Decimal(text)


@pytest.mark.parametrize("text", ['{"a": "x\ny"}', '{"a\tb": 1}', '{"a": "\x00"}', '{"a": NaN}', '{"a": -Infinity}'])
def test_what_json_forbids_is_read_where_the_dialect_allows_it(text: str) -> None:
    lenient = Dialect(number=NumberText, constant=str, raw_controls=True)
    assert len(read_object(text.encode(), dialect=lenient)) == 1
    with pytest.raises(RequestInvalid, match="body must be JSON"):
        read_object(text.encode())
