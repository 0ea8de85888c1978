"""Draws the people of a world: their strategies, balances and lanes, and the settings of the exchange."""

from __future__ import annotations

import random
from decimal import Decimal

from local.faults.worlds.shape import FOLLOWERS_OF_A_LANE, SYMBOLS, Shape
from local.simulation.exchange import WatchedExchange
from local.simulation.people import Follows, People
from shared.clock import utc_now
from shared.models.follower import Follower
from shared.models.key_readiness import KeyReadiness
from shared.models.strategy import Strategy
from shared.trading.entry_settings import BelowMinimum, EntrySettings, SizingType
from shared.trading.execution import DenialReason
from shared.trading.readiness import Verdict
from shared.trading.risk import BASE_TAKER_RATE

_FOLLOWS_ANOTHER_STRATEGY = 0.2
_HAS_ANOTHER_KEY = 0.1
_NAMES_TWO_LANES = 0.5
_IS_UNFIT = 0.08
_TAKER_RATES = (BASE_TAKER_RATE, BASE_TAKER_RATE, Decimal("0.0004"), Decimal("0.00032"))
_RATE_IS_KNOWN = 0.7
_HAS_OWN_SETTINGS = 0.5


def draw_followers(people: People, dice: random.Random, shape: Shape, strategies: list[Strategy]) -> list[Follows]:
    """Store the followers, on as many lanes as they need.

    Some follow a second strategy with the same key, and some the same strategy with a second key of their account. Some
    keys name two lanes where there are several. A few have an account that may not be traded.
    """
    drawn: list[Follows] = []
    number_of_lanes = (shape.followers - 1) // FOLLOWERS_OF_A_LANE + 1
    for number in range(shape.followers):
        lane = f"lane-{number // FOLLOWERS_OF_A_LANE + 1}"
        strategy = dice.choice(strategies)
        last = _last_with_one_strategy(drawn)
        may_share = last is not None and last.key.egress_lane == lane and last.record.strategy_id != strategy.id
        if last is not None and may_share and dice.random() < _FOLLOWS_ANOTHER_STRATEGY:
            drawn.append(people.follow_too(last, strategy))
            continue
        api_key = f"{dice.getrandbits(256):064x}"
        lanes = [lane]
        if number_of_lanes > 1 and dice.random() < _NAMES_TWO_LANES:
            lanes = list(dict.fromkeys([lane, f"lane-{dice.randint(1, number_of_lanes)}"]))
        # Most balances are large, some are small, some too small for any order.
        balance = dice.choices(("10000", "3217.55", "24000", "700", "60"), weights=(4, 3, 3, 1, 1))[0]
        drawn.append(people.create_follower(strategy, lanes=lanes, api_key=api_key, balance_usdt=balance))
        _draw_fee(drawn[-1], dice)
        if dice.random() < _IS_UNFIT:
            _make_unfit(drawn[-1])
            continue
        if dice.random() < _HAS_ANOTHER_KEY:
            api_key = f"{dice.getrandbits(256):064x}"
            drawn.append(people.follow_with_another_key(drawn[-1], strategy, api_key=api_key))
    return drawn


def draw_settings(drawn: list[Follows], dice: random.Random) -> None:
    """Have some followers size their entries by a notional or by equity, cap them, or choose the exchange's minimum."""
    for follows in drawn:
        if dice.random() >= _HAS_OWN_SETTINGS:
            continue
        sizing, value = dice.choice(
            (
                (SizingType.RISK, None),
                (SizingType.NOTIONAL, Decimal(dice.choice((50, 400, 3_000, 100_000)))),
                (SizingType.EQUITY, Decimal(dice.choice((5, 40, 250)))),
            )
        )
        chosen = EntrySettings(
            sizing=sizing,
            value=value,
            max_notional=dice.choice((None, Decimal(150), Decimal(2_000))),
            max_leverage=dice.choice((None, Decimal("0.3"), Decimal(2))),
            below_minimum=dice.choice(tuple(BelowMinimum)),
        )
        follows.record.update(actions=[Follower.entry_settings.set(chosen)])


def _draw_fee(follows: Follows, dice: random.Random) -> None:
    """Draw the account's taker rate; of most keys we know it, and the others are sized with the base rate."""
    rate = follows.account.taker_fee = dice.choice(_TAKER_RATES)
    if dice.random() < _RATE_IS_KNOWN:
        # As the key's inspection stores it.
        follows.key.save_taker_rates(dict.fromkeys(SYMBOLS, rate), read_at=utc_now())


def _make_unfit(follows: Follows) -> None:
    """Have the account's owner use hedge mode, as an inspection has found a moment ago."""
    follows.account.is_hedge_mode = True
    KeyReadiness.record(follows.key, Verdict((DenialReason.HEDGE_MODE,)), details={}, checked_at=utc_now())


def _last_with_one_strategy(people: list[Follows]) -> Follows | None:
    if not people or (len(people) > 1 and people[-2].account is people[-1].account):
        return None
    return people[-1]


def draw_exchange_settings(exchange: WatchedExchange, dice: random.Random, shape: Shape) -> None:
    """Draw the settings in which accounts of the exchange differ, and the offset of its clock."""
    yes_or_no = (True, False)
    exchange.controls.change_settings(
        {
            "refuse_close_position_when_flat": dice.choice(yes_or_no),
            "refuse_overlapping_close": dice.choice(yes_or_no),
            "expire_close_position_when_flat": dice.choice(yes_or_no),
            "expire_reduce_only_when_flat": dice.choice(yes_or_no),
            "refuse_late_past_recv_window": True,
            "limits_enabled": shape.limits,
            "clock_offset_ms": dice.choice((0, 0, -700, 3_000, -12_000)),
        }
    )
