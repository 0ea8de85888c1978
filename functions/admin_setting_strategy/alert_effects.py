"""What an alert and each of its fields do, in words. Reads no message: `alert_check` has what was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from shared.clock import to_iso
from shared.config import settings
from shared.models.strategy import Strategy
from shared.trading.arithmetic import exact
from shared.trading.exits import Exit
from shared.trading.freshness import farthest_from_order_price, fresh_until
from shared.trading.sides import MarketPosition, Side, StopType, TriggerAction
from shared.trading.signal import Signal
from shared.trading.target_weights import weigh_targets
from shared.trading.updates import Update

NOT_READ = "is not read"
ABSENT = "counts as absent"

_WHOLE_PCT = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerted:
    """What was read of a message, and what it would come to now."""

    instruction: Signal | Exit
    """What it would be accepted as."""
    read: Signal | Exit
    """What its fields say: an entry after which less is left than before is accepted as a reduction."""
    fired_at: datetime | None
    now: datetime
    secret_matches: bool
    target_names: tuple[str, ...]
    """The fields of the take-profits, in the order of the signal's."""
    strategy: Strategy


def effect_of_alert(alerted: Alerted) -> str:
    """Return what the whole alert does, as a sentence."""
    match alerted.instruction:
        case Signal(side=side):
            late = " It is too old and opens nothing." if _is_stale(alerted) else ""
            other, own = _position(side.opposite), _position(side)
            return f"Closes a {other} position, and opens a {own} one where there is none.{late}"
        case Exit() as asked:
            return _effect_of_exit(asked)


def _effect_of_exit(asked: Exit) -> str:
    means = "an open position" if asked.side is None else f"a {_position(asked.side)} position"
    match asked.action:
        case TriggerAction.CLOSE:
            return f"Closes {means}, and opens nothing."
        case TriggerAction.REDUCE:
            return f"Closes a part of {means}, and opens nothing."
        case TriggerAction.UPDATE:
            return f"{_effect_of_update(asked.update or Update(), means)}, and opens and closes nothing."
        case TriggerAction.OPEN:
            raise ValueError("an exit does not open")
        case _:
            assert_never(asked.action)


def _effect_of_update(update: Update, means: str) -> str:
    moves = update != Update(take_profits=update.take_profits)
    if not moves:
        return f"Replaces the take-profits of {means}"
    replaces = ", replaces its take-profits" if update.take_profits else ""
    return f"Moves the stop of {means} towards the market{replaces}"


def effects_of_fields(alerted: Alerted) -> dict[str, str]:
    """Return what each field does, by its name, for those that mean something in this alert."""
    effects = {
        "strategy": "names the strategy",
        "secret": "is the strategy's" if alerted.secret_matches else "is not the strategy's: the webhook answers 401",
        "alertId": "makes another alert with this id within a day a repeat",
    }
    if alerted.fired_at is not None:
        old = f", more than {settings().max_alert_age_s:g} s ago" if _is_stale(alerted) else ""
        effects["firedAt"] = f"the alert counts from {to_iso(alerted.fired_at)}{old}"
    match alerted.read:
        case Signal() as signal:
            return effects | _entry_fields(alerted, signal)
        case Exit() as asked:
            return effects | dict(_exit_fields(asked)) | dict(_update_fields(asked.update, alerted.target_names))


def _entry_fields(alerted: Alerted, signal: Signal) -> dict[str, str]:
    own = _position(signal.side)
    share = settings().max_chase if alerted.strategy.max_chase is None else alerted.strategy.max_chase
    distance = farthest_from_order_price(
        order_price=signal.order_price,
        stop=signal.stop,
        max_chase=share,
        max_distance_pct=settings().max_price_distance_pct,
    )
    effects = {
        "type": f"opens a {own} position",
        "orderPrice": f"opens nothing once the market is more than {_plain(distance)} away from here",
        "stop": "at this price a follower loses the percentage of their risk profile",
        "stopType": _stop_type(signal.stop_type),
        "winRate": "is kept for the record",
        "position": "agrees with type",
        **_target_fields(alerted, signal),
    }
    if isinstance(alerted.instruction, Exit):
        effects["positionSize"] = "is less than at the strategy's latest entry: closes as much of the position"
    elif signal.position_size is not None:
        effects["positionSize"] = "is the strategy's size, of which a later alert may leave a part"
    if signal.trailing is not None:
        with exact():
            activation = signal.order_price + signal.side.sign * signal.trailing.trigger
        effects["trailingTrigger"] = f"a trailing stop is active from {_plain(activation)} on"
        effects["callbackRate"] = f"it triggers when the price turns back by {_plain(signal.trailing.callback_rate)} %"
    if signal.breakeven_after is not None:
        effects["breakevenAfter"] = _breakeven_after(signal.breakeven_after)
    return effects


def _target_fields(alerted: Alerted, signal: Signal) -> dict[str, str]:
    """Return what each take-profit closes, if the market has passed none of them before the entry."""
    weights = weigh_targets(signal.take_profits, side=signal.side, weights=alerted.strategy.take_profit_weights)
    if weights is None:
        part = "the position" if len(signal.take_profits) == 1 else f"one of {len(signal.take_profits)} equal parts"
        return dict.fromkeys(alerted.target_names, f"closes {part} at this price")
    with exact():
        shares = [weight * _WHOLE_PCT / sum(weights) for weight in weights]
    return {
        name: f"closes {_plain(share, places=2)} % of the position at this price"
        for name, share in zip(alerted.target_names, shares, strict=True)
    }


def _exit_fields(asked: Exit) -> Iterator[tuple[str, str]]:
    yield "type", "with position, says what the alert is"
    yield "position", "the strategy is flat" if asked.side is None else f"means {_position(asked.side)} positions only"
    if asked.keep_share is not None:
        with exact():
            yield "keep", f"of the entry's amount {_plain(asked.keep_share * _WHOLE_PCT)} % remain"
    if asked.position_size is not None:
        yield "positionSize", "remains of the strategy's own size at its entry, and followers keep the same part"


def _update_fields(update: Update | None, target_names: Sequence[str]) -> Iterator[tuple[str, str]]:
    if update is None:
        return
    if update.breakeven:
        yield "stop", "moves the stop to the entry's price, with the fees of both ways"
    elif update.stop is not None:
        yield "stop", "moves the stop here, unless it is nearer to the market already"
    yield "orderPrice", "with position, the stop must be on its losing side, take-profits on the other"
    for name in target_names:
        yield name, "takes the place of the old take-profits, with the others of this alert"
    if update.breakeven_after is not None:
        yield "breakevenAfter", _breakeven_after(update.breakeven_after)


def _stop_type(stop_type: StopType) -> str:
    match stop_type:
        case StopType.MARKET:
            return "once triggered, the stop closes at the market"
        case StopType.LIMIT:
            return "once triggered, the stop is a limit order; another one further away closes at the market"
        case _:
            assert_never(stop_type)


def _breakeven_after(number: int) -> str:
    return f"moves the stop to break-even once take-profit {number}, counted from the nearest, has filled"


def _position(side: Side) -> str:
    return MarketPosition.opened_by(side).value.lower()


def _is_stale(alerted: Alerted) -> bool:
    until = fresh_until(fired_at=alerted.fired_at, received_at=alerted.now, max_age_s=settings().max_alert_age_s)
    return alerted.now > until


def _plain(number: Decimal, *, places: int = 8) -> str:
    """Return a number without an exponent and without zeros at its end."""
    return f"{number:.{places}f}".rstrip("0").rstrip(".")
