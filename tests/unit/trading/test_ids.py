import re
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.ids import Leg, OrderRef, client_order_id, execution_id, parse_client_order_id

PREFIX = "x-cvBPrNm9"
EXECUTION = "c21d890e-87b6-524d-b010-929612e17011"

refs = st.builds(
    OrderRef,
    execution_id=st.uuids().map(str),
    leg=st.sampled_from(Leg),
    attempt=st.integers(0, 62**3 - 1) | st.integers(0, 3),
)


def id_of(ref: OrderRef, prefix: str = PREFIX) -> str:
    return client_order_id(prefix, ref.execution_id, ref.leg, ref.attempt)


class TestExecutionId:
    def test_is_the_same_for_every_delivery_and_differs_for_every_other_trigger_and_follower(self) -> None:
        trigger, other_trigger, follower, other_follower = (str(uuid4()) for _ in range(4))
        first = execution_id(trigger, follower)
        assert first == execution_id(trigger, follower) == execution_id(trigger.upper(), follower.upper())
        assert len({first, execution_id(other_trigger, follower), execution_id(trigger, other_follower)}) == 3
        assert execution_id(follower, trigger) != first

    def test_is_a_lower_case_uuid_of_version_5(self) -> None:
        made = execution_id("aa51c3f9-5b54-4927-98ef-d30ac182886c", "af42792c-b48e-4322-9716-07050cec48c8")
        assert made == str(UUID(made))
        assert UUID(made).version == 5

    def test_never_changes_since_stored_executions_carry_it(self) -> None:
        made = execution_id("aa51c3f9-5b54-4927-98ef-d30ac182886c", "af42792c-b48e-4322-9716-07050cec48c8")
        assert made == "74adb142-a5e6-57e0-8603-e7fe7974b9a7"


class TestClientOrderId:
    @given(refs)
    def test_fits_the_exchange(self, ref: OrderRef) -> None:
        assert re.fullmatch(r"[\.A-Z\:/a-z0-9_-]{1,36}", id_of(ref))

    @given(refs)
    def test_parses_back_to_its_parts(self, ref: OrderRef) -> None:
        assert parse_client_order_id(id_of(ref), prefix=PREFIX) == ref

    @given(st.lists(refs, max_size=20, unique=True))
    def test_is_unique_to_execution_leg_and_attempt(self, several: list[OrderRef]) -> None:
        assert len({id_of(ref) for ref in several}) == len(several)

    def test_every_leg_and_attempt_of_one_execution_has_an_id_of_its_own(self) -> None:
        made = {client_order_id(PREFIX, EXECUTION, leg, attempt) for leg in Leg for attempt in range(200)}
        assert len(made) == len(Leg) * 200

    def test_never_changes_since_open_orders_carry_it(self) -> None:
        assert client_order_id(PREFIX, EXECUTION, Leg.STOP, 1) == "x-cvBPrNm95uI0Z8WXIuNF1E1jL94jmjS1"
        codes = {leg: leg.code for leg in Leg}
        assert "".join(codes.values()) == "ERSB1234TCDF"

    @pytest.mark.parametrize(
        ("prefix", "attempt"), [(PREFIX, 62**3), (PREFIX + "12", 62), ("with space", 0), (PREFIX, -1)]
    )
    def test_is_refused_when_the_exchange_would_not_take_it(self, prefix: str, attempt: int) -> None:
        with pytest.raises(ValueError, match=r"client order id|negative"):
            client_order_id(prefix, EXECUTION, Leg.ENTRY, attempt)

    @pytest.mark.parametrize(
        "foreign",
        [
            "",
            PREFIX,
            "web_9q3mPUkbz0hG",
            "autoclose-1666375929485",
            "adl_autoclose",
            # Another program behind the same broker prefix.
            "x-cvBPrNm9473aae399bf545f3a21c9c",
            "x-cvBPrNm95gkQzVnPpbhGFUq5SZVzdo",
            # The right length, but no such leg, no attempt, a padded attempt, no base62, more than 128 bits.
            client_order_id(PREFIX, EXECUTION, Leg.STOP, 1)[:-2] + "X1",
            client_order_id(PREFIX, EXECUTION, Leg.STOP, 1)[:-1],
            client_order_id(PREFIX, EXECUTION, Leg.STOP, 1)[:-1] + "01",
            client_order_id(PREFIX, EXECUTION, Leg.STOP, 1)[:-1] + "-",
            PREFIX + "z" * 22 + "S1",
            client_order_id("x-TKT5PX2F", EXECUTION, Leg.STOP, 1),
        ],
    )
    def test_foreign_id_is_not_parsed(self, foreign: str) -> None:
        assert parse_client_order_id(foreign, prefix=PREFIX) is None

    @given(st.text(max_size=40) | st.from_regex(r"x-cvBPrNm9[0-9A-Za-z]{20,26}", fullmatch=True))
    def test_parsed_id_is_the_only_spelling_of_its_parts(self, text: str) -> None:
        ref = parse_client_order_id(text, prefix=PREFIX)
        assert ref is None or id_of(ref) == text
