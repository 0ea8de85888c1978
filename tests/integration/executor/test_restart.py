"""A stack that keeps its data is stopped with a position open, and started again: everything goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from local.stack import embedded_aws
from local.stack.places import AwsKey, Places, Ports
from shared.messages import Command
from shared.models.base import Table
from shared.models.execution import Execution
from shared.models.follower_performance import FollowerPerformance
from shared.trading.execution import CloseReason, ExecutionState
from tests.environment import environment
from tests.integration.embedded_aws import REGION, EmbeddedAws, kms_key, sqs_client
from tests.integration.executor.world import World
from tests.integration.paper_exchange.exchange_process import ExchangeProcess
from tests.queues import create_queues

ROUNDING = Decimal("0.00001")


@contextmanager
def started(places: Places, exchange: ExchangeProcess, variables: dict[str, str]) -> Iterator[None]:
    """Start the embedded AWS and the exchange on what they have kept, and stop them as Ctrl-C does."""
    process = embedded_aws.start(places)
    try:
        embedded_aws.wait(process, places)
        exchange.start()
        try:
            with environment(**variables, AWS_SESSION_TOKEN=None):
                yield
        finally:
            exchange.stop()
    finally:
        process.stop()


def test_position_that_was_open_is_protected_and_booked_after_a_restart(tmp_path: Path) -> None:
    places = Places(Ports.reserve_free(), state=tmp_path / "data", aws_key=AwsKey("test", "test"))
    exchange = ExchangeProcess(tmp_path / "exchange.json")
    variables = {
        "AWS_ENDPOINT_URL": places.aws_url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": places.aws_key.id,
        "AWS_SECRET_ACCESS_KEY": places.aws_key.secret,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "EXCHANGE_URL": exchange.url,
        "LANE_WEIGHT_PER_MINUTE": "1000000",
    }
    with started(places, exchange, variables):
        aws = EmbeddedAws(url=places.aws_url, urls=create_queues(sqs_client(places.aws_url)))
        variables |= aws.environment | {"SECRETS_KEY_ID": kms_key(places.aws_url)}
        with environment(**variables):
            for model in Table.__subclasses__():
                model.create_table(billing_mode="PAY_PER_REQUEST", wait=True)
            exchange.set(limits_enabled=False)
            world = World(exchange, aws)
            person = world.follower()
            wallet = world.account(person).wallet
            execution = world.open_position(person)
            before = world.account(person)
            assert execution.state is ExecutionState.PROTECTED

    with started(places, exchange, variables):
        exchange.set(limits_enabled=False)
        found = Execution.find(execution.id)
        assert found is not None
        assert (found.state, found.filled_amount) == (ExecutionState.PROTECTED, before.position)
        assert world.deliver(execution, command=Command.RECONCILE) == []
        after = world.account(person)
        assert after.position == before.position
        assert len(after.stops) == 1
        assert (after.stops, after.targets) == (before.stops, before.targets)
        assert world.stored(execution).state is ExecutionState.PROTECTED
        assert world.count_delayed("reconcile") + len(world.take_messages("reconcile")) > 0, "the dead man's are kept"

        exchange.move_price("19790")
        assert world.deliver(execution, command=Command.RECONCILE) == []
        booked = world.stored(execution)
        assert (booked.state, booked.close_reason) == (ExecutionState.CLOSED, CloseReason.STOP)
        assert world.account(person).flat
        assert booked.profit is not None
        assert abs(booked.profit - (world.account(person).wallet - wallet)) < ROUNDING
        performance = FollowerPerformance.get(person.record.id)
        assert (performance.trades, performance.total_profit) == (1, booked.profit)
