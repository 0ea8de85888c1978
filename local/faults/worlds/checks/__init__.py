"""Compares the exchange's books with ours, while positions are open and when everything is over. Changes nothing.

positions.py      open positions have a stop and fitting targets; flat accounts have no order of ours
ends.py           each follower of each alert has an end with a reason
alerts.py         an alert that is sent again is one alert, and an older one opens and closes nothing newer;
                  an exit alert closes what is older than itself
reductions.py     a position is brought down to the smallest share that reductions ask for, and no further
stop_moves.py     a stop never moves away from the market, and stands where updates and a filled target want it
nakedness.py      no position is without a stop for longer than its bound
closes.py         a close that an admin requests, or an exit alert, is done soon
entries.py        an entry has targets ahead, and is tried again while it may be; unfit keys cost no weight
refusals.py       an order that the filters refuse is not sent again unchanged, but as the exchange allows it
owners.py         one key at a time has an account's position
risk.py           what an entry has filled loses at its stop no more than was allowed, fees included
forced_closes.py  what the exchange closes by itself is booked as such
books.py          what was booked is what the exchange's books say

A check yields a violation in words: whose, and what.
"""

from __future__ import annotations

from local.faults.worlds.checks import (
    alerts,
    books,
    closes,
    ends,
    entries,
    forced_closes,
    nakedness,
    owners,
    positions,
    reductions,
    refusals,
    risk,
    stop_moves,
)
from local.faults.worlds.world import World


def while_open(world: World) -> list[str]:
    """Return the violations while positions are open and nothing is in progress."""
    return [
        *positions.check(world),
        *ends.check_rest(world),
        *alerts.check_rest(world),
        *reductions.check_rest(world),
        *stop_moves.check_rest(world),
    ]


def at_the_end(world: World) -> list[str]:
    """Return the violations when everything is over."""
    executions = world.executions()
    return [
        *ends.check(world, executions),
        *alerts.check(world, executions),
        *reductions.check(world, executions),
        *stop_moves.check(world, executions),
        *nakedness.check(world),
        *closes.check(world, executions),
        *entries.check(world, executions),
        *refusals.check(world),
        *owners.check(world, executions),
        *risk.check(world),
        *positions.check_nothing_left(world),
        *books.check(world, executions),
        *forced_closes.check(world, executions),
        *(f"dead letter: {body}" for body in world.queues.unexplained_dead_letters),
    ]
