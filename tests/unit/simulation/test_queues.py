"""Simulated queues deliver as many batches of a lane at once as it has containers."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from local.simulation.chances import Chances
from local.simulation.clock import SimulatedClock, SimulatedLoop
from local.simulation.queues import BATCH, MOST_RECEIVES, VISIBILITY_S, Queues
from local.simulation.trace import Trace
from local.simulation.workers import Workers

URLS = {"one": "one-orders.fifo", "two": "two-orders.fifo"}
WORK_S = 1.0


def test_a_lane_with_one_container_handles_one_batch_at_a_time_and_delays_no_other_lane() -> None:
    clock = SimulatedClock(wall_s=1_767_600_000)
    dice = random.Random(1)  # noqa: S311 - chance, not secrecy
    chances = Chances(dice)
    queues = Queues(clock, chances, Workers(chances), Trace())
    running: list[str] = []
    most_at_once: dict[str, int] = {}

    async def handle(event: dict[str, Any]) -> dict[str, Any]:
        lane = event["Records"][0]["body"]
        running.append(lane)
        for one in set(running):
            most_at_once[one] = max(most_at_once.get(one, 0), running.count(one))
        most_at_once["together"] = max(most_at_once.get("together", 0), len(running))
        await asyncio.sleep(WORK_S)
        running.remove(lane)
        return {"batchItemFailures": []}

    async def deliver_all() -> None:
        for url in URLS.values():
            queues.serve(url, handle, most_at_once=1)
        for number in range(3 * BATCH):
            for lane, url in URLS.items():
                queues.send_message(
                    QueueUrl=url,
                    MessageBody=lane,
                    MessageGroupId=f"{lane}-{number}",
                    MessageDeduplicationId=f"{lane}-{number}",
                )
        delivering = asyncio.create_task(queues.run())
        await asyncio.sleep(10 * WORK_S)
        delivering.cancel()

    loop = SimulatedLoop(clock, dice=dice)
    with clock.everywhere():
        loop.run_until_complete(deliver_all())
    loop.close()

    assert queues.at_rest
    assert most_at_once == {"one": 1, "two": 1, "together": 2}


@pytest.mark.parametrize("calm_deliveries", [0, 1, MOST_RECEIVES])
def test_dead_letter_is_explained_by_faults_in_all_of_its_deliveries(calm_deliveries: int) -> None:
    clock = SimulatedClock(wall_s=1_767_600_000)
    dice = random.Random(1)  # noqa: S311 - chance, not secrecy
    chances = Chances(dice)
    queues = Queues(clock, chances, Workers(chances), Trace())

    async def fail(event: dict[str, Any]) -> dict[str, Any]:
        (record,) = event["Records"]
        with chances.collected() as met:
            chances.happens(float(int(record["attributes"]["ApproximateReceiveCount"]) > calm_deliveries), "a fault")
        if met:
            queues.hinder(record["receiptHandle"])
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}

    async def deliver() -> None:
        queues.serve("orders", fail)
        queues.send_message(QueueUrl="orders", MessageBody="an order")
        delivering = asyncio.create_task(queues.run())
        await asyncio.sleep((MOST_RECEIVES + 1) * VISIBILITY_S)
        delivering.cancel()

    loop = SimulatedLoop(clock, dice=dice)
    with clock.everywhere():
        loop.run_until_complete(deliver())
    loop.close()

    assert queues.dead_letters == ["an order"]
    assert queues.unexplained_dead_letters == (["an order"] if calm_deliveries else [])
