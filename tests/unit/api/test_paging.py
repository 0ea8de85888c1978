from __future__ import annotations

import base64

import pytest

from shared.api.paging import load_by_id, open_token, query_page, seal_token
from shared.models.base import LISTED
from shared.models.strategy import Strategy
from tests.unit.in_process_aws import Queues
from tests.unit.records import a_strategy, after, id_of

SCOPE = "/v1/admin/setting/strategy/list?{}"
CURSOR = {"id": {"S": "927bacee"}, "n": 7}

pytestmark = pytest.mark.usefixtures("admin_api")


def test_token_holds_its_cursor() -> None:
    assert open_token(seal_token(CURSOR, scope=SCOPE), scope=SCOPE) == CURSOR


def test_token_is_bound_to_its_scope() -> None:
    token = seal_token(CURSOR, scope=SCOPE)
    with pytest.raises(ValueError, match="not a token"):
        open_token(token, scope=SCOPE + " ")


def test_no_character_of_a_token_may_be_changed() -> None:
    token = seal_token(CURSOR, scope=SCOPE)
    for place, character in enumerate(token):
        for other in "Ax_-9":
            if other != character:
                with pytest.raises(ValueError, match="not a token"):
                    open_token(token[:place] + other + token[place + 1 :], scope=SCOPE)


@pytest.mark.parametrize("forged", ["", "a", "=", "null", "\u00e9", " ", "AAAA", "A" * 5000, "{}"])
def test_forged_token_is_refused(forged: str) -> None:
    with pytest.raises(ValueError, match="not a token"):
        open_token(forged, scope=SCOPE)


def test_cut_or_padded_token_is_refused() -> None:
    token = seal_token(CURSOR, scope=SCOPE)
    for wrong in (token[:-1], token + "A", token + "=", token + "\n", " " + token):
        with pytest.raises(ValueError, match="not a token"):
            open_token(wrong, scope=SCOPE)


def test_cursor_under_a_mac_of_another_key_is_refused() -> None:
    text = base64.urlsafe_b64decode(seal_token(CURSOR, scope=SCOPE) + "==")[16:]
    forged = base64.urlsafe_b64encode(b"\0" * 16 + text).decode().rstrip("=")
    with pytest.raises(ValueError, match="not a token"):
        open_token(forged, scope=SCOPE)


@pytest.mark.parametrize(("count", "limit", "shown", "more"), [(0, 3, 0, False), (3, 3, 3, False), (4, 3, 3, True)])
def test_page_knows_whether_there_is_more(count: int, limit: int, shown: int, more: bool) -> None:
    for number in range(count):
        a_strategy(id_of(f"strategy {number}"), at=after(number))
    page = query_page(Strategy.by_created.query, LISTED, load=load_by_id(Strategy), limit=limit)
    assert len(page.records) == shown
    assert (page.end is not None) is more


def test_filtered_page_is_full_and_goes_on_where_it_ended() -> None:
    for number in range(10):
        a_strategy(id_of(f"strategy {number}"), at=after(number), active=number % 3 == 0)
    seen: list[str] = []
    start = None
    while True:
        active = load_by_id(Strategy, include=lambda strategy: strategy.active)
        page = query_page(Strategy.by_created.query, LISTED, load=active, limit=2, after=start)
        seen += [strategy.id for strategy in page.records]
        if page.end is None:
            break
        assert len(page.records) == 2
        start = page.end
    assert seen == [id_of(f"strategy {number}") for number in (0, 3, 6, 9)]


def test_record_that_is_gone_leaves_no_gap(admin_api: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        a_strategy(id_of(f"strategy {number}"), at=after(number))
    read = Strategy.find_many

    def without_the_second(keys: object, **options: object) -> dict[str, Strategy]:
        # The index still names a record that was deleted a moment ago.
        found: dict[str, Strategy] = read(keys, **options)  # type: ignore[arg-type]
        found.pop(id_of("strategy 1"), None)
        return found

    monkeypatch.setattr(Strategy, "find_many", without_the_second)
    page = query_page(Strategy.by_created.query, LISTED, load=load_by_id(Strategy), limit=2)
    assert [strategy.id for strategy in page.records] == [id_of("strategy 0"), id_of("strategy 2")]
    assert page.end is not None
