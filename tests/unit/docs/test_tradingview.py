"""The messages to paste are read as the page says, once TradingView has filled their placeholders."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from shared.api.alert_fields import Alert, parse_alert
from shared.api.alert_json import parse_alert_json
from shared.clock import from_iso
from shared.trading.exits import Exit
from shared.trading.sides import Side, StopType, TriggerAction
from shared.trading.signal import Signal
from shared.trading.updates import Update

PAGE = Path("docs/tradingview.md").read_text("utf-8")
STRATEGY_ID = "61b79e6d-7e22-4f91-b508-ef5be6a21419"
ENTRY, CLOSE, REDUCE, UPDATE, STRATEGY = re.findall(r"```json\n(.*?)```", PAGE, re.S)
FIRED_AT = "2022-09-09T01:57:36Z"


def filled(message: str, **placeholders: str) -> bytes:
    """Return a message as TradingView sends it: a value that there is none of becomes NaN."""
    values = {name.replace("__", "."): value for name, value in placeholders.items()} | {"timenow": FIRED_AT}
    body = re.sub(r"\{\{(.+?)\}\}", lambda found: values.get(found[1], "NaN"), message)
    return body.replace("STRATEGY_ID", STRATEGY_ID).replace("SECRET", "secret").encode()


def read(message: str, **placeholders: str) -> Alert:
    return parse_alert(parse_alert_json(filled(message, **placeholders)))


def of_strategy(action: str, position: str, size: str = "0", *, stop: str = "NaN", target: str = "NaN") -> Alert:
    """Read the message of a strategy after one of its orders at 19286.5."""
    return read(
        STRATEGY,
        strategy__order__action=action,
        strategy__market_position=position,
        strategy__market_position_size=size,
        strategy__order__price="19286.5",
        plot_0=stop,
        plot_1=target,
    )


def signal(side: Side, *, stop: str, target: str, size: str | None = None) -> Signal:
    return Signal(
        side=side,
        order_price=Decimal("19286.5"),
        stop=Decimal(stop),
        stop_type=StopType.MARKET,
        take_profits=(Decimal(target),),
        position_size=None if size is None else Decimal(size),
    )


LONG, SHORT = {"stop": "19200", "target": "19400.5"}, {"stop": "19350", "target": "19100"}
CLOSES = Exit(TriggerAction.CLOSE)
HALF = Exit(TriggerAction.REDUCE, keep_share=Decimal("0.5"))


@pytest.mark.parametrize(("side", "prices"), [("buy", LONG), ("sell", SHORT)])
def test_message_of_an_indicator_opens_a_position(side: str, prices: dict[str, str]) -> None:
    message = ENTRY.replace('"type": "buy"', f'"type": "{side}"')
    alert = read(message, close="19286.5", plot_0=prices["stop"], plot_1=prices["target"])
    assert alert.instruction == signal(Side(side.upper()), **prices)
    assert (alert.strategy_id, alert.secret, alert.fired_at) == (STRATEGY_ID, "secret", from_iso(FIRED_AT))


def test_message_of_an_indicator_reduces() -> None:
    alert = read(REDUCE)
    assert (alert.instruction, alert.fired_at) == (HALF, from_iso(FIRED_AT))


def test_message_of_an_indicator_closes() -> None:
    alert = read(CLOSE)
    assert (alert.instruction, alert.fired_at) == (CLOSES, from_iso(FIRED_AT))


@pytest.mark.parametrize(
    ("action", "position", "side", "prices"),
    [
        pytest.param("buy", "long", Side.BUY, LONG, id="long"),
        pytest.param("sell", "short", Side.SELL, SHORT, id="short, or reversal from long"),
    ],
)
def test_one_message_of_a_strategy_opens_either_side(
    action: str, position: str, side: Side, prices: dict[str, str]
) -> None:
    assert of_strategy(action, position, "0.25", **prices).instruction == signal(side, **prices, size="0.25")


@pytest.mark.parametrize("action", ["buy", "sell"])
@pytest.mark.parametrize("prices", [{}, LONG, SHORT])
def test_the_same_message_closes_when_the_strategy_is_flat(action: str, prices: dict[str, str]) -> None:
    assert of_strategy(action, "flat", **prices).instruction == CLOSES


@pytest.mark.parametrize(("action", "position", "side"), [("sell", "long", Side.BUY), ("buy", "short", Side.SELL)])
@pytest.mark.parametrize("prices", [{}, LONG, SHORT])
def test_the_same_message_reduces_when_a_part_of_the_position_remains(
    action: str, position: str, side: Side, prices: dict[str, str]
) -> None:
    remains = Exit(TriggerAction.REDUCE, side, position_size=Decimal("0.1"))
    assert of_strategy(action, position, "0.1", **prices).instruction == remains


def test_message_of_an_indicator_moves_the_stop() -> None:
    moves = Exit(TriggerAction.UPDATE, update=Update(stop=Decimal("19250.5")))
    assert read(UPDATE, plot_2="19250.5").instruction == moves


def test_same_message_moves_the_stop_to_break_even() -> None:
    moves = Exit(TriggerAction.UPDATE, update=Update(breakeven=True))
    assert read(UPDATE.replace("{{plot_2}}", "breakeven")).instruction == moves


@pytest.mark.parametrize(("side", "prices"), [("buy", LONG), ("sell", SHORT)])
def test_entry_names_the_target_after_which_the_stop_moves(side: str, prices: dict[str, str]) -> None:
    message = ENTRY.replace('"type": "buy"', f'"type": "{side}",\n  "breakevenAfter": 1')
    alert = read(message, close="19286.5", plot_0=prices["stop"], plot_1=prices["target"])
    assert alert.instruction == replace(signal(Side(side.upper()), **prices), breakeven_after=1)


def test_page_has_no_placeholder_that_no_test_fills() -> None:
    known = {"close", "plot_0", "plot_1", "plot_2", "timenow"}
    known |= {"strategy.order.action", "strategy.order.price", "strategy.market_position"}
    known |= {"strategy.market_position_size"}
    assert set(re.findall(r"\{\{(.+?)\}\}", PAGE)) == known
