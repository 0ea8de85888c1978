"""Writes `docs/cost.md` from the measured calls, the template's resources and the list prices."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

from local.cost.measuring import Figures
from local.simulation.queues import BATCH
from local.stack.deploy import read_template

PRICES = Path(__file__).with_name("prices.toml")

POLLS_PER_MINUTE = 15
"""Of an empty queue: Lambda keeps five long polls of 20 s open for each consumer."""
REQUESTS_PER_MESSAGE = 3
"""Sent, received and deleted, each charged; those that share a batch cost less."""
BATCH_S = 1.0
"""How long a batch runs, on average: mostly waiting for the exchange."""
BATCH_GB = 1.0
LOG_KB_PER_MESSAGE = 5.0
WATCH_S, WATCH_GB = 0.3, 0.5
METRICS_WRITTEN = 40
"""Metrics of ours, one for each name and dimension that a busy stack writes."""
DAY_H, MONTH_DAYS = 24, 30
EXAMPLE_FOLLOWERS = 100

_CENT = 0.01
_MILLION = 1_000_000
_KB_PER_GB = 1_000_000


@dataclass(frozen=True, slots=True)
class Resources:
    """What is there whether anybody trades or not."""

    alarms: int
    keys: int
    consumed_queues: int


@cache
def prices() -> dict[str, Any]:
    """Return the price file."""
    return tomllib.loads(PRICES.read_text(encoding="utf-8"))


def count_resources() -> Resources:
    """Count the template's resources that are charged by the month."""
    found = list(read_template()["Resources"].values())
    types = [one["Type"] for one in found]
    events = [event["Type"] for one in found for event in one.get("Properties", {}).get("Events", {}).values()]
    return Resources(types.count("AWS::CloudWatch::Alarm"), types.count("AWS::KMS::Key"), events.count("SQS"))


class Kept(TypedDict):
    """What the page is written from, beside the prices."""

    calls: Figures
    resources: dict[str, int]


def write_page(kept: Kept) -> str:
    """Return the whole page."""
    figures, found = kept["calls"], Resources(**kept["resources"])
    regions = list(prices()["regions"])
    pages = ",\n".join(f"<{page}>" for page in dict.fromkeys(prices()["pages"].values()))
    parts = [
        _INTRODUCTION.format(read_on=prices()["read_on"], pages=pages, unchecked=unchecked()),
        "## Measured calls",
        _CALLS,
        _table(
            ["step", "of", "write units", "read units", "messages", "invocations"],
            [
                [_STEPS[step], _OF[whose], *(f"{counts[name]:,.1f}" for name in _COUNTED)]
                for step, split in figures.items()
                for whose, counts in split.items()
            ],
        ),
        "## Idle, a month",
        _IDLE,
        _costs(idle(figures, found), regions),
        "## An alert, from entry to close",
        _ALERT,
        _costs(_alert(figures), regions),
        "## An open position",
        _POSITION,
        _costs(_position(figures), regions),
        "## A lane, a month",
        _LANE,
        _costs(_lane(), regions),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


Price = Mapping[str, float]
Row = tuple[str, Mapping[str, float]]
"""What is charged, and how much of each price it takes."""


def unchecked() -> str:
    """Return the prices that nobody has compared with a page, by region."""
    checked = {(one["region"], name) for one in prices()["checks"] for name in one["prices"]}
    left = {
        region: [f"`{name}`" for name in known if (region, name) not in checked]
        for region, known in prices()["regions"].items()
    }
    return ";\n".join(f"in {region} {', '.join(names)}" for region, names in left.items() if names) or "none"


def idle(figures: Figures, found: Resources) -> list[Row]:
    """Return what is charged in a month without any trade."""
    hours = prices()["hours_per_month"]
    minutes = hours * 60
    # The watcher's part of an hour is there without positions, too.
    watcher = figures["hour"]["alert"]
    return [
        (f"{found.alarms} alarms", {"alarm_month": found.alarms}),
        (f"{found.keys} keys of KMS", {"kms_key_month": found.keys}),
        (
            f"polls of {found.consumed_queues} queues",
            {"sqs_million": found.consumed_queues * POLLS_PER_MINUTE * minutes / _MILLION},
        ),
        (
            "the watcher, every minute",
            {
                "lambda_million": minutes / _MILLION,
                "lambda_gb_s": minutes * WATCH_S * WATCH_GB,
                "dynamodb_read_million": watcher["read_units"] * hours / _MILLION,
                "dynamodb_write_million": watcher["write_units"] * hours / _MILLION,
            },
        ),
        (f"{METRICS_WRITTEN} metrics, once there is trade", {"metric_month": METRICS_WRITTEN}),
    ]


def _alert(figures: Figures) -> list[Row]:
    def both(whose: str) -> dict[str, float]:
        return _taken({name: figures["entry"][whose][name] + figures["close"][whose][name] for name in _COUNTED})

    alert, follower = both("alert"), both("follower")
    whole = {name: alert[name] + EXAMPLE_FOLLOWERS * follower[name] for name in alert}
    return [
        ("the alert itself", alert),
        ("each follower", follower),
        (f"an alert with {EXAMPLE_FOLLOWERS} followers", whole),
    ]


def _position(figures: Figures) -> list[Row]:
    day = {name: DAY_H * value for name, value in _taken(figures["hour"]["follower"]).items()}
    month = {name: MONTH_DAYS * EXAMPLE_FOLLOWERS * value for name, value in day.items()}
    return [
        ("a position and day", day),
        (f"{EXAMPLE_FOLLOWERS} positions, open for {MONTH_DAYS} days", month),
    ]


def _lane() -> list[Row]:
    hours = prices()["hours_per_month"]
    return [("a NAT gateway", {"nat_hour": hours}), ("its address", {"address_hour": hours})]


def _taken(counts: Mapping[str, float]) -> dict[str, float]:
    """Return how much of each price some calls take."""
    # Few followers share the batches of one alert, so that one more seems to take none.
    invocations = max(counts["invocations"], counts["messages"] / BATCH)
    return {
        "dynamodb_write_million": counts["write_units"] / _MILLION,
        "dynamodb_read_million": counts["read_units"] / _MILLION,
        "sqs_million": REQUESTS_PER_MESSAGE * counts["messages"] / _MILLION,
        "lambda_million": invocations / _MILLION,
        "lambda_gb_s": invocations * BATCH_S * BATCH_GB,
        "logs_gb": counts["messages"] * LOG_KB_PER_MESSAGE / _KB_PER_GB,
    }


def cost_of(taken: Mapping[str, float], price: Price) -> float:
    """Return what something costs in US dollars."""
    return sum(amount * price[name] for name, amount in taken.items())


def _costs(rows: list[Row], regions: list[str]) -> str:
    lists = prices()["regions"]
    return _table(
        ["what", *regions],
        [[what, *(_usd(cost_of(taken, lists[region])) for region in regions)] for what, taken in rows],
    )


def _usd(amount: float) -> str:
    return f"{amount:,.2f} $" if amount >= 1 else f"{amount:.2f} $" if amount >= _CENT else f"{amount:.6f} $"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


_COUNTED = ("write_units", "read_units", "messages", "invocations")
_STEPS = {
    "entry": "entry, to the stop and the targets",
    "hour": "an hour with open positions",
    "close": "close on request",
}
_OF = {"alert": "all followers together", "follower": "each follower"}

_INTRODUCTION = """
# Cost

`make cost` writes this page. It measures the calls of the product on simulated time (kept in `docs/cost.json`), counts
the template's resources, and multiplies both with list prices of {read_on} (`local/cost/prices.toml`). Free tiers and
discounts are left out. Whether the bill agrees is to be seen on AWS; expect ± 50 %. Tests fail when this page differs
from the kept figures and the prices, or these by more than a tenth from the product and its template.

AWS's pages with these prices: {pages}.

Compared with a page on the day that `prices.toml` names; from memory, and not compared: {unchecked}.
"""
_CALLS = """
DynamoDB's units are counted by its rules: a write for each KB of the larger image, twice in a transaction, and once for
each index that changes; a read for each 4 KB. An invocation is a batch of up to ten messages. The shares are the
difference between six followers and two.
"""
_IDLE = f"""
Lambda polls an empty queue {POLLS_PER_MINUTE} times a minute, which cannot be turned off. API Gateway's metrics for
each method are off: at some 80 routes they would cost up to 96 $ a month, four metrics each, and no alarm uses them. A
metric is charged for the hours in which it is written. Tables, functions, queues, topics and user pools cost nothing
while they are idle.
"""
_ALERT = f"""
An entry with a stop and three take-profits, and a close on request. Assumed: a batch takes {BATCH_S:g} s of
{BATCH_GB:g} GB, a message is charged {REQUESTS_PER_MESSAGE} times and writes {LOG_KB_PER_MESSAGE:g} KB of log.
"""
_POSITION = """
While the lane has slack, the watcher has a position looked at every minute, and otherwise at least every ten. These are
positions on a lane with slack, the dear case.
"""
_LANE = """
With `FixedEgress=true` each lane has a NAT gateway with an address (traffic through it is charged by the GB, and ours
is small). Without it a lane costs nothing by the month.
"""
