"""Reckons from the figures what 10,000 followers, protected within ten seconds, would take. Measures nothing.

What an entry writes is what `make cost` has measured.

Prices are AWS's list prices for us-east-1 as of 2026, in US dollars.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from local.capacity import report
from local.stack.places import ROOT

FOLLOWERS = 10_000
WITHIN_S = 10
WEIGHT_PER_MINUTE = 2_400
SIDE_BY_SIDE = 10
"""Accounts that a container works on at once: the size of a batch."""
STREAM_RENEWALS_PER_HOUR = 2
"""Of each account's stream, one of weight each; the exchange closes a stream after an hour without one."""
BACKUP_LOOKS_PER_MINUTE = 0.1
"""With a stream: a look every ten minutes, for what the stream has missed."""
STREAMS_PER_PROCESS = 1_000
BURST = 500
"""Followers who enter within a second, to show what that writes."""

_HOURS = 730
_NAT_USD_PER_HOUR = 0.045 + 0.005
_PROCESS_USD_PER_HOUR = 0.5 * 0.04048 + 1 * 0.004445
"""A container service's task with half a processor and 1 GB."""
_CONTAINER_GB = 1.0
_WARM_USD_PER_GB_S = 0.0000033334
_WRITE_USD_PER_MILLION = 0.625


@cache
def write_units() -> int:
    """Return the write units of one follower's entry, from its record to its targets, as `docs/cost.json` has them."""
    kept = json.loads((ROOT / "docs" / "cost.json").read_text(encoding="utf-8"))
    units: float = kept["calls"]["entry"]["follower"]["write_units"]
    return round(units)


def writes_markdown() -> str:
    """Return what entries write, as text."""
    units = write_units()
    return (
        f"An entry takes {units} write units with those of its indexes ([cost.md](cost.md)). {BURST} followers in a\n"
        f"second are {BURST * units:,} units over ten tables."
    )


def markdown(figures: Mapping[str, Any]) -> str:
    """Return the reckoning as a table in Markdown."""
    alerts = [one for one in figures.get("scenarios", []) if one["scenario"] == "barClose"]
    if not alerts:
        return report.NOT_MEASURED
    whole = alerts[-1]
    entry, look, entry_s = figures["weights"]["entry"], figures["weights"]["look"], figures["entryS"]
    lanes_reading = math.ceil(FOLLOWERS * entry / WEIGHT_PER_MINUTE)
    renewals = FOLLOWERS * STREAM_RENEWALS_PER_HOUR / 60
    backup = FOLLOWERS * BACKUP_LOOKS_PER_MINUTE * look
    lanes_streams = math.ceil((renewals + backup) / WEIGHT_PER_MINUTE)
    fan_out_per_s = whole["followers"] / whole["fannedOutS"]
    fan_out_s = FOLLOWERS / fan_out_per_s
    shares = math.ceil(2 * fan_out_s / WITHIN_S)
    left_s = WITHIN_S - fan_out_s / shares - entry_s
    containers = math.ceil(FOLLOWERS * entry_s / SIDE_BY_SIDE / left_s)
    processes = math.ceil(FOLLOWERS / STREAMS_PER_PROCESS)
    units = write_units()
    units_per_s = FOLLOWERS * units / left_s
    rows = [
        ("weight of the entries, as they read today", f"{FOLLOWERS:,} × {entry} = {FOLLOWERS * entry:,}"),
        ("lanes for that, each with its whole minute", f"{lanes_reading}"),
        ("weight of the entries, with account, positions and orders known from streams", "0: orders have none"),
        (
            "weight a minute of streams and of a backup look every ten minutes",
            f"{renewals:,.0f} + {backup:,.0f} = {renewals + backup:,.0f}",
        ),
        ("lanes for that", f"{lanes_streams}"),
        ("processes that hold the streams", f"{processes}, with {STREAMS_PER_PROCESS:,} each"),
        ("fan-out, as it writes today", f"{fan_out_per_s:,.0f} followers a second: {fan_out_s:.1f} s"),
        ("fan-outs side by side, each of a part of the followers", f"{shares}"),
        ("an entry, from the alert to its stop", f"{entry_s:.2f} s"),
        (
            "warm containers of the executor",
            f"{FOLLOWERS:,} × {entry_s:.2f} s ÷ {SIDE_BY_SIDE} side by side ÷ {left_s:.1f} s = {containers}",
        ),
        ("writes a second to the tables", f"{FOLLOWERS:,} × {units} ÷ {left_s:.1f} s = {units_per_s:,.0f} units"),
        ("lanes, a month", _usd(lanes_streams * _NAT_USD_PER_HOUR * _HOURS)),
        ("processes of streams, a month", _usd(processes * _PROCESS_USD_PER_HOUR * _HOURS)),
        ("warm containers, a month", _usd(containers * _CONTAINER_GB * _WARM_USD_PER_GB_S * _HOURS * 3600)),
        ("writes of one alert", _usd(FOLLOWERS * units / 1e6 * _WRITE_USD_PER_MILLION, digits=2)),
    ]
    return "\n".join(["| what | how much |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)])


def _usd(amount: float, *, digits: int = 0) -> str:
    return f"{amount:,.{digits}f} USD"
