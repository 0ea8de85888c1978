"""Every key that trades automatically is inspected once a day; a run spreads its inspections over a quarter."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from functions.key_inspector import app
from local import inspections
from shared import messages, rounds
from shared.clock import from_iso, to_iso
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import LISTED_SHARDS, StrategyType, TradeType, listed_shard_of
from tests.lambda_context import FakeContext
from tests.unit.in_process_aws import Queues
from tests.unit.records import KEY_ID, an_exchange_key, id_of

MIDNIGHT = from_iso("2026-01-01T00:05:00Z")


def schedule(at: datetime) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(Path("events/key_inspector/schedule.json").read_text())
    return event | {"time": at.strftime("%Y-%m-%dT%H:%M:%SZ")}


def run(at: datetime) -> dict[str, Any]:
    return app.lambda_handler(schedule(at), FakeContext())


def time_of(key_id: str) -> datetime:
    """Return when the schedule queues a key."""
    return MIDNIGHT + timedelta(minutes=15 * int(listed_shard_of(key_id).split("#")[1]))


def run_a_day() -> list[dict[str, Any]]:
    return [run(MIDNIGHT + timedelta(minutes=15 * quarter)) for quarter in range(24 * 4)]


def test_a_days_runs_queue_every_automated_key_once(tables: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "SPREAD_S", 0)  # a delayed message could not be received
    wanted = [an_exchange_key(id_of(f"key-{number}")).id for number in range(40)]
    an_exchange_key(id_of("inactive"), active=False)
    an_exchange_key(id_of("spot"), trade_type=TradeType.SPOT)
    an_exchange_key(id_of("manual"), strategy_type=StrategyType.MANUAL)

    answers = run_a_day()

    assert sorted(message["api_key_id"] for message in tables.sent_to(tables.keys)) == sorted(wanted)
    assert sorted(answer["shard"] for answer in answers) == list(range(LISTED_SHARDS))
    assert sum(answer["keys"] for answer in answers) == 40


def test_repeated_run_queues_the_same_inspections(tables: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "SPREAD_S", 0)
    an_exchange_key()

    assert run(time_of(KEY_ID)) == run(time_of(KEY_ID))

    inspection = {"version": 1, "api_key_id": KEY_ID, "asked_at": to_iso(time_of(KEY_ID))}
    assert tables.sent_to(tables.keys) == [inspection, inspection]


def test_inspections_of_a_run_are_spread_evenly_over_its_quarter_of_an_hour(
    tables: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries: list[Any] = []
    monkeypatch.setattr(messages, "_send_batch", lambda _url, batch: entries.extend(batch))
    names = (id_of(f"key-{number}") for number in range(10_000))
    ids = list(islice((name for name in names if listed_shard_of(name) == listed_shard_of(KEY_ID)), 42))
    for key_id in ids:
        an_exchange_key(key_id)

    run(time_of(KEY_ID))

    assert sorted(json.loads(entry["MessageBody"])["api_key_id"] for entry in entries) == sorted(ids)
    delays_s = [entry["DelaySeconds"] for entry in entries]
    assert max(delays_s) < 15 * 60, "the queue delays nothing for longer, and the next run begins"
    assert Counter(delay_s // 60 for delay_s in delays_s) == dict.fromkeys(range(14), 3)


def test_first_run_of_a_day_counts_the_active_keys_of_every_lane(tables: Queues) -> None:
    for number in range(5):
        an_exchange_key(id_of(f"key-{number}"), egress_lane="lane-1")
    an_exchange_key(id_of("several"), egress_lanes=["lane-1", "lane-2"])
    an_exchange_key(id_of("spot"), egress_lane="lane-2", trade_type=TradeType.SPOT)
    an_exchange_key(id_of("inactive"), egress_lane="lane-2", active=False)
    used = EgressLane(lane="lane-1", minute=from_iso("2026-01-01T00:05"), used_weight=17, updated_at=MIDNIGHT)
    used.save()

    answer = run(MIDNIGHT)

    assert answer["lanes"] == 2
    assert [EgressLane.get(lane).keys for lane in ("lane-1", "lane-2")] == [6, 2]
    assert EgressLane.get("lane-1").used_weight == 17
    assert run(MIDNIGHT + timedelta(minutes=15))["lanes"] == 0


def test_sample_of_the_schedule_is_answered_with_what_was_queued(tables: Queues) -> None:
    event = json.loads(Path("events/key_inspector/schedule.json").read_text())

    assert app.lambda_handler(event, FakeContext()) == {"shard": 2, "keys": 0, "lanes": 0}
    assert tables.sent_to(tables.keys) == []


def test_keys_whose_account_is_unknown_are_inspected_on_command(tables: Queues) -> None:
    before = an_exchange_key(id_of("of an earlier version"), account=None)
    replaced = an_exchange_key(id_of("replaced"), account={"apiKey": "the one before", "alias": "an account"})
    an_exchange_key(id_of("known"))
    an_exchange_key(id_of("inactive"), account=None, active=False)
    an_exchange_key(id_of("manual"), account=None, strategy_type=StrategyType.MANUAL)

    assert inspections.queue_inspections(report=lambda _: None) == 2

    queued = tables.sent_to(tables.keys)
    assert {message["api_key_id"] for message in queued} == {before.id, replaced.id}


def test_named_keys_are_inspected_on_command_whatever_is_known_of_them(tables: Queues) -> None:
    known = an_exchange_key(id_of("known"))

    inspections.queue_inspections([known.id], report=lambda _: None)

    [message] = tables.sent_to(tables.keys)
    assert (message["api_key_id"], from_iso(message["asked_at"]) > known.created_at) == (known.id, True)
