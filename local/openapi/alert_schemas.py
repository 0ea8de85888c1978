"""Schemas of an alert and of the webhook's answers, for the OpenAPI document.

The webhook validates alerts by hand, without types that a schema could be derived from. A test compares both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NotRequired, TypeAlias, TypedDict

from pydantic import Field, WithJsonSchema, with_config

from shared.api import grammar
from shared.api.answers import AlertFaults, ErrorText, Id, Message, Refusal
from shared.api.fields import in_any_case
from shared.trading.sides import MarketPosition, Side, StopType, TriggerAction
from shared.trading.stop_moves import MOST_TARGETS

_NUMBER = rf"^\s*\+?{grammar.UNSIGNED_NUMBER}\s*$"
_TARGET = rf"^\s*\+?0*[1-{MOST_TARGETS}](\.0*)?\s*$"
_ABSENT = f"^{grammar.ABSENT}$"

Price = Annotated[
    str, WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": _NUMBER}]})
]
"""A number, or its text."""

PriceOrNone = Annotated[
    str | None,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": f"({_NUMBER})|({_ABSENT})"},
                {"type": "null"},
            ]
        }
    ),
]
"""A number, or its text; `null`, an empty text, `NaN`, `na`, `N/A` and `null` as text mean that there is none."""

StopOrNone = Annotated[
    str | None,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {
                    "type": "string",
                    "pattern": rf"({_NUMBER})|({_ABSENT})|(^\s*[bB][rR][eE][aA][kK][eE][vV][eE][nN]\s*$)",
                },
                {"type": "null"},
            ]
        }
    ),
]
"""A price, break-even, or that there is none."""

TargetNumber = Annotated[
    str | None,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MOST_TARGETS},
                {"type": "string", "pattern": rf"({_TARGET})|({_ABSENT})"},
                {"type": "null"},
            ]
        }
    ),
]
"""Which take-profit, counted from the nearest; or that there is none."""

_IN_ANY_CASE = "in upper, lower or mixed case"

Strategy = Annotated[Id, Field(description="The strategy's id.")]
Secret = Annotated[str, Field(description="The strategy's webhook secret; without the right one the answer is 401.")]
AlertId = Annotated[str | None, Field(description="The sender's id: an alert of it counts once a day.")]
FiredAt = Annotated[str | None, Field(description="TradingView's {{timenow}}.")]


def _absent_or(*words: str) -> WithJsonSchema:
    """Return the JSON schema of a word in any case, or of what means that there is none."""
    word: dict[str, Any] = in_any_case(words).json_schema or {}
    return WithJsonSchema({"anyOf": [word, {"type": "string", "pattern": _ABSENT}, {"type": "null"}]})


@with_config(extra="allow")
class AlertBody(TypedDict):
    """A TradingView alert. At least one take-profit must have a price; unknown fields are ignored."""

    strategy: Strategy
    secret: Secret
    orderPrice: Annotated[Price, Field(description="The price that the strategy saw.")]
    type: Annotated[
        str,
        in_any_case(Side),
        Field(description=f"buy or sell, {_IN_ANY_CASE}."),
    ]
    stop: Annotated[Price, Field(description="The stop, on the losing side of orderPrice.")]
    stopType: Annotated[
        str,
        in_any_case(StopType),
        Field(description=f"market or limit, {_IN_ANY_CASE}."),
    ]
    takeProfit: NotRequired[PriceOrNone]
    takeProfit1: NotRequired[PriceOrNone]
    takeProfit2: NotRequired[PriceOrNone]
    takeProfit3: NotRequired[PriceOrNone]
    takeProfitPrice1: NotRequired[Annotated[PriceOrNone, Field(description="The same as takeProfit1.")]]
    takeProfitPrice2: NotRequired[Annotated[PriceOrNone, Field(description="The same as takeProfit2.")]]
    takeProfitPrice3: NotRequired[Annotated[PriceOrNone, Field(description="The same as takeProfit3.")]]
    trailingTrigger: NotRequired[Annotated[PriceOrNone, Field(description="Must use with callbackRate.")]]
    callbackRate: NotRequired[Annotated[PriceOrNone, Field(description="Must use with trailingTrigger. 0.1 to 10.")]]
    breakevenAfter: NotRequired[
        Annotated[
            TargetNumber,
            Field(
                description="Once this take-profit has filled, counted from the nearest, the stop moves to break-even: "
                "the entry's price with the fees of both ways. Without it, the strategy's own rule holds."
            ),
        ]
    ]
    winRate: NotRequired[Annotated[Any, Field(description="Kept for the record, never a fault.")]]
    position: NotRequired[
        Annotated[
            str | None,
            _absent_or(MarketPosition.LONG, MarketPosition.SHORT),
            Field(
                description="TradingView's {{strategy.market_position}}: long of a buy, short of a sell. After flat, "
                "the alert closes, and with the other side and positionSize it reduces, whatever its type is."
            ),
        ]
    ]
    positionSize: NotRequired[
        Annotated[
            PriceOrNone,
            Field(
                description="TradingView's {{strategy.market_position_size}}; must use with position. Less than at the "
                "strategy's latest entry, on its side, the alert reduces."
            ),
        ]
    ]
    alertId: NotRequired[AlertId]
    firedAt: NotRequired[FiredAt]


@with_config(extra="allow")
class CloseBody(TypedDict):
    """An alert that closes what is open; only the fields below are read."""

    strategy: Strategy
    secret: Secret
    type: Annotated[str, in_any_case([TriggerAction.CLOSE]), Field(description=f"close, {_IN_ANY_CASE}.")]
    position: NotRequired[
        Annotated[str | None, _absent_or(MarketPosition.FLAT), Field(description="flat, if anything.")]
    ]
    alertId: NotRequired[AlertId]
    firedAt: NotRequired[FiredAt]


@with_config(extra="allow")
class FlatBody(TypedDict):
    """An alert after which the strategy is flat: it closes what is open; only the fields below are read."""

    strategy: Strategy
    secret: Secret
    position: Annotated[
        str,
        in_any_case([MarketPosition.FLAT]),
        Field(description="flat, as TradingView fills {{strategy.market_position}}."),
    ]
    alertId: NotRequired[AlertId]
    firedAt: NotRequired[FiredAt]


SideOrNone: TypeAlias = Annotated[
    str | None,
    _absent_or(MarketPosition.LONG, MarketPosition.SHORT),
    Field(description="The side of the positions that it means; either, if absent."),
]


@with_config(extra="allow")
class ReduceBody(TypedDict):
    """An alert that closes a part of what is open; only the fields below are read. One of both shares is needed."""

    strategy: Strategy
    secret: Secret
    type: Annotated[str, in_any_case([TriggerAction.REDUCE]), Field(description=f"reduce, {_IN_ANY_CASE}.")]
    keep: NotRequired[Annotated[PriceOrNone, Field(description="Percent of the entry's amount that is to remain.")]]
    position: NotRequired[SideOrNone]
    positionSize: NotRequired[
        Annotated[PriceOrNone, Field(description="What remains of the strategy's own size at entry.")]
    ]
    alertId: NotRequired[AlertId]
    firedAt: NotRequired[FiredAt]


@with_config(extra="allow")
class RemainingBody(TypedDict):
    """An alert after which a part of the strategy's position remains; only the fields below are read."""

    strategy: Strategy
    secret: Secret
    type: NotRequired[Annotated[Any, Field(description="Anything but the entry on the side of the position.")]]
    position: Annotated[
        str,
        in_any_case([MarketPosition.LONG, MarketPosition.SHORT]),
        Field(description="What remains, as TradingView fills {{strategy.market_position}}."),
    ]
    positionSize: Annotated[Price, Field(description="TradingView's {{strategy.market_position_size}}.")]
    alertId: NotRequired[AlertId]
    firedAt: NotRequired[FiredAt]


@with_config(extra="allow")
class UpdateBody(TypedDict):
    """An alert that changes the exits of what is open; only the fields below are read. One of them is needed."""

    strategy: Strategy
    secret: Secret
    type: Annotated[str, in_any_case([TriggerAction.UPDATE]), Field(description=f"update, {_IN_ANY_CASE}.")]
    stop: NotRequired[
        Annotated[
            StopOrNone, Field(description="The new stop, or breakeven. One farther from the market changes nothing.")
        ]
    ]
    takeProfit: NotRequired[Annotated[PriceOrNone, Field(description="New targets take the place of all old ones.")]]
    takeProfit1: NotRequired[PriceOrNone]
    takeProfit2: NotRequired[PriceOrNone]
    takeProfit3: NotRequired[PriceOrNone]
    takeProfitPrice1: NotRequired[PriceOrNone]
    takeProfitPrice2: NotRequired[PriceOrNone]
    takeProfitPrice3: NotRequired[PriceOrNone]
    breakevenAfter: NotRequired[
        Annotated[TargetNumber, Field(description="As of an entry, whose own it takes the place of.")]
    ]
    position: NotRequired[SideOrNone]
    orderPrice: NotRequired[
        Annotated[PriceOrNone, Field(description="With position: stop and targets must be on their sides of it.")]
    ]
    alertId: NotRequired[AlertId]
    firedAt: NotRequired[FiredAt]


class AlertAccepted(TypedDict):
    """The trigger that the alert came to; of a repeat, the first one."""

    id: Id


REFUSALS: Mapping[int, Refusal] = {
    400: Refusal(Message, "The body is not one JSON object of at most 16 KiB."),
    401: Refusal(ErrorText, "The secret is missing or wrong, or there is no such strategy."),
    422: Refusal(AlertFaults, "Something is wrong with the fields of the alert, or the strategy is inactive."),
    429: Refusal(dict[str, Any], "Too many alerts at once; the body is AWS's own."),
    500: Refusal(Message, "Our fault; the request's id is in a header."),
    503: Refusal(Message, "Maintenance, or the alert could not be queued: send it again."),
}

SUMMARY = "Strategy Webhook"
BODY = AlertBody | CloseBody | ReduceBody | FlatBody | RemainingBody | UpdateBody
DESCRIPTION = "Fire a strategy, for all of its followers. Answered once the alert is stored and queued."
