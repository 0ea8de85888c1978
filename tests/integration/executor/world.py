"""Builds the executor's test data, as records and accounts of the paper exchange, and reads the results."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import ccxt

from functions.order_executor import app, service
from local.paper_exchange import account_routes, order_routes
from shared.clock import utc_now
from shared.exchange import lanes, markets
from shared.exchange.server_clock import server_clock
from shared.messages import Command
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.position_slot import PositionSlot
from shared.models.strategy_alerts import StrategyAlerts
from shared.models.trading_switch import EVERYTHING, TradingSwitch, lane_scope
from shared.models.trigger import Trigger
from shared.models.trigger_count import TriggerCount, shard_of
from shared.models.user import User
from shared.secrets import SecretKind, seal, unseal
from shared.trading.sides import Side
from shared.worker import run_async
from tests import builders
from tests.builders import saved
from tests.integration.embedded_aws import EmbeddedAws, reset_lanes, sqs_client
from tests.integration.paper_exchange.exchange_process import ExchangeProcess
from tests.lambda_context import FakeContext

ORDER = "/fapi/v1/order"
ALGO_ORDER = "/fapi/v1/algoOrder"
TARGETS = 3
"""The take-profits of an entry."""
FUTURES_ROUTES = account_routes.ROUTES | order_routes.ROUTES
FUNDED = "11507"
"""With a stop 1 % away, 1.5 % of it are 0.750 BTC: at the bound of 0.05 %, with fees of 0.05 % for each way."""


@dataclass(frozen=True, slots=True)
class VenueAccount:
    """One account at the exchange."""

    position: Decimal
    wallet: Decimal
    open_orders: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    requests: dict[str, int]

    @property
    def stops(self) -> list[dict[str, Any]]:
        """Standing stops that close the whole position."""
        return [order for order in self.open_orders if order.get("orderType") == "STOP_MARKET"]

    @property
    def targets(self) -> list[dict[str, Any]]:
        """Standing take-profits, the lowest first."""
        limits = [order for order in self.open_orders if order.get("type") == "LIMIT"]
        return sorted(limits, key=lambda order: Decimal(order["price"]))

    @property
    def fills_at_once(self) -> list[dict[str, Any]]:
        """Entries and market orders that filled, oldest first."""
        at_once = [o for o in self.orders if o.get("type") == "MARKET" or o.get("timeInForce") == "IOC"]
        return [o for o in at_once if Decimal(o.get("executedQty", "0"))]

    def sent(self, path: str) -> int:
        """Return how many POST requests reached a path."""
        return self.requests.get(f"POST {path}", 0)

    @property
    def weight(self) -> int:
        """The weight of all requests so far, on the futures paths."""
        routes = {f"{method} {path}": route.weight for (method, path), route in FUTURES_ROUTES.items()}
        return sum(count * routes[request] for request, count in self.requests.items() if request in routes)

    @property
    def flat(self) -> bool:
        """Return whether nothing is left: no position, no order."""
        return not self.position and not self.open_orders


@dataclass(slots=True)
class Person:
    """A follower with its user, key and account."""

    user: User
    key: ExchangeKey
    record: Follower


class World:
    """One strategy, and what a test adds to it."""

    def __init__(self, exchange: ExchangeProcess, aws: EmbeddedAws) -> None:
        self.exchange = exchange
        self.aws = aws
        self.plan = saved(builders.plan())
        self.strategy = saved(builders.strategy())
        self._seq = 0

    def reset(self) -> None:
        """Reset the exchange, the switch and the lane, which all tests share."""
        self.exchange.control("DELETE", "/paper/faults")
        markets.forget()
        self.exchange.set(
            refuse_late_past_recv_window=True,
            refuse_overlapping_close=False,
            overlap_counts_conditional=False,
            clock_offset_ms=0,
        )
        self.exchange.control("DELETE", "/paper/symbols")  # what the clock has delivered stays so while it is ahead
        server_clock.offset_ms = 0
        self.exchange.move_price("20000")
        self.halt(on=False)
        self.reset_lane()

    # -- test data -----------------------------------------------------------------------------------------------------

    def follower(self, *, balance: str = FUNDED, **account: Any) -> Person:
        """Add a follower with a funded account; `account` changes it at the exchange (hedge mode, permissions)."""
        user = saved(builders.user(plan_id=self.plan.id))
        secret = secrets.token_hex(32)
        key_id = str(uuid.uuid4())
        key = saved(
            builders.exchange_key(
                key_id,
                user_id=user.id,
                api_key=secrets.token_hex(32),
                secret_ciphertext=seal(secret, kind=SecretKind.EXCHANGE_KEY, owner_id=key_id),
            )
        )
        self.exchange.control(
            "POST", "/paper/accounts", {"apiKey": key.api_key, "secret": secret, "balances": {"USDT": balance}}
        )
        if account:
            self.exchange.control("PUT", f"/paper/accounts/{key.api_key}", account)
        record = saved(builders.follower(strategy_id=self.strategy.id, api_key_id=key.id, user_id=user.id))
        return Person(user=user, key=key, record=record)

    def another_key_of(self, person: Person) -> Person:
        """Add a follower whose key leads to the same account."""
        secret, key_id, api_key = secrets.token_hex(32), str(uuid.uuid4()), secrets.token_hex(32)
        key = saved(
            builders.exchange_key(
                key_id,
                user_id=person.user.id,
                api_key=api_key,
                secret_ciphertext=seal(secret, kind=SecretKind.EXCHANGE_KEY, owner_id=key_id),
                account={"apiKey": api_key, "alias": person.key.account_alias},
            )
        )
        path = f"/paper/accounts/{person.key.api_key}/keys"
        self.exchange.control("POST", path, {"apiKey": api_key, "secret": secret})
        record = saved(builders.follower(strategy_id=self.strategy.id, api_key_id=key.id, user_id=person.user.id))
        return Person(user=person.user, key=key, record=record)

    def trigger(self, side: Side = Side.BUY, **changes: Any) -> Trigger:
        """Store an alert that has been fanned out; `changes` are attributes of the trigger."""
        self._seq += 1
        usual: dict[str, Any] = {"seq": self._seq, "strategy_id": self.strategy.id}
        trigger = saved(builders.trigger(**({"side": side} | usual | changes)))
        alerts = StrategyAlerts.find(self.strategy.id) or StrategyAlerts(strategy_id=self.strategy.id)
        alerts.last_seq = max(self._seq, trigger.seq)
        if alerts.latest_alert_place is None or trigger.place > alerts.latest_alert_place:
            alerts.latest_alert_seq, alerts.latest_alert_place = trigger.seq, trigger.place
        alerts.save()
        return trigger

    def make_older(self, execution: Execution, *, seconds: float) -> None:
        """Set the alert of an execution, the latest of the strategy, to an earlier time."""
        received_at = execution.received_at - timedelta(seconds=seconds)
        trigger = Trigger.get(execution.trigger_id)
        trigger.update(actions=[Trigger.created_at.set(received_at)])
        execution.update(actions=[Execution.received_at.set(received_at)])
        alerts = StrategyAlerts(self.strategy.id)
        alerts.update(actions=[StrategyAlerts.latest_alert_place.set(trigger.place)])

    def queue_execution(self, person: Person, trigger: Trigger) -> Execution:
        """Store the execution of a trigger on a follower, as the fan-out leaves it."""
        execution = saved(
            builders.execution(
                trigger,
                person.record,
                strategy_name=self.strategy.name,
                references=(person.user, person.key, self.plan),
            )
        )
        TriggerCount(trigger.id, shard_of(execution.id)).update(actions=[TriggerCount.active.add(1)])
        return execution

    def halt(self, *, on: bool) -> None:
        """Turn the halt of new entries on or off."""
        TradingSwitch(scope=EVERYTHING, halted=on, updated_at=utc_now()).save()

    def reset_lane(self) -> None:
        """Delete the lane's usage, pauses, bans and refusals from the tables and from this process."""
        reset_lanes()
        TradingSwitch(lane_scope(lanes.DEFAULT_LANE)).delete()
        lanes.forget()

    def plan_fault(self, person: Person, kind: str, path: str, method: str = "POST", **also: Any) -> None:
        """Plan a fault of the exchange for one account's requests."""
        body = {"method": method, "path": path, "kind": kind, "times": 1, "apiKey": person.key.api_key} | also
        self.exchange.control("POST", "/paper/faults", body)

    def plan_target_fault(self, person: Person, kind: str, **also: Any) -> None:
        """Plan a fault for one account's new take-profits."""
        self.plan_fault(person, kind, ORDER, parameters={"type": "LIMIT", "reduceOnly": "true"}, **also)

    # -- actions -------------------------------------------------------------------------------------------------------

    def deliver(self, *executions: Execution, command: Command = Command.OPEN) -> list[str]:
        """Deliver one message for each execution, as one batch; return the ids of those that failed."""
        records = [record_of(execution, command) for execution in executions]
        answer = app.lambda_handler({"Records": records}, FakeContext())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def deliver_to_several_workers(self, execution: Execution, *, copies: int) -> None:
        """Let several workers handle the same message at the same time."""
        self.deliver_by_lanes(execution, [(lanes.DEFAULT_LANE, Command.OPEN)] * copies)

    def deliver_by_lanes(self, execution: Execution, deliveries: Sequence[tuple[str, Command]]) -> None:
        """Let a worker of each lane handle a command for the execution, all at the same time."""

        async def all_of_them() -> None:
            await asyncio.gather(
                *(
                    service.handle(execution.message(command), lane=lane, ends_at_s=time.monotonic() + 25)
                    for lane, command in deliveries
                )
            )

        run_async(all_of_them())

    def handle(self, execution: Execution, *, command: Command = Command.OPEN, seconds_left: float = 25) -> None:
        """Let the executor handle one message with so much time left."""
        message = execution.message(command)
        run_async(service.handle(message, lane=lanes.DEFAULT_LANE, ends_at_s=time.monotonic() + seconds_left))

    def wait_until(self, condition: Callable[[], Any], *, within_s: float = 60.0) -> None:
        """Return when the condition holds."""
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(0.02)

    def wait_until_due(self, execution: Execution) -> None:
        """Return when the execution is due, as the queue's delay would have it."""

        def due() -> bool:
            due_at = self.stored(execution).due_at
            return due_at is not None and due_at <= utc_now()

        self.wait_until(due)

    def open_position(self, person: Person, **trigger: Any) -> Execution:
        """Open a protected position for a follower; return its execution."""
        execution = self.queue_execution(person, self.trigger(**trigger))
        assert self.deliver(execution) == []
        return self.stored(execution)

    def trade_as_owner(self, person: Person, side: str, quantity: str, **also: str) -> None:
        """Place an order as the account's owner."""
        order = {"symbol": "BTCUSDT", "side": side, "quantity": quantity, "type": "MARKET"} | also
        self.as_owner(person, lambda client: client.fapiPrivatePostOrder(order))

    def cancel_stops_as_owner(self, person: Person) -> None:
        """Cancel the conditional orders as the account's owner."""
        self.as_owner(person, lambda client: client.fapiPrivateDeleteAlgoOpenOrders({"symbol": "BTCUSDT"}))

    def as_owner(self, person: Person, act: Callable[[Any], Any]) -> None:
        """Send a request to the exchange as the account's owner."""
        secret = unseal(person.key.secret_ciphertext, kind=SecretKind.EXCHANGE_KEY, owner_id=person.key.id)
        client = ccxt.binanceusdm({"apiKey": person.key.api_key, "secret": secret, "enableRateLimit": False})
        client.urls["api"] = {
            name: re.sub(r"^https?://[^/]+", self.exchange.url, url)
            for name, url in client.urls["api"].items()
            if isinstance(url, str)
        }
        client.load_time_difference()  # a test may have set the exchange's clock
        act(client)

    # -- results -------------------------------------------------------------------------------------------------------

    def stored(self, execution: Execution) -> Execution:
        """Return the execution as it is stored now."""
        found = Execution.find(execution.id)
        assert found is not None
        return found

    def account(self, person: Person) -> VenueAccount:
        """Return the follower's account at the exchange."""
        account = self.exchange.control("GET", f"/paper/accounts/{person.key.api_key}")
        return VenueAccount(
            position=sum((Decimal(p["amount"]) for p in account["positions"]), Decimal(0)),
            wallet=Decimal(account["walletBalance"]),
            open_orders=account["openOrders"],
            orders=account["orders"],
            requests=account["requests"],
        )

    def slot(self, person: Person) -> PositionSlot:
        """Return the slot of the follower's key."""
        found = PositionSlot.find(person.key.id, "BTC/USDT")
        assert found is not None
        return found

    def take_messages(self, name: str) -> list[dict[str, Any]]:
        """Take the messages of a queue (`orders`, `triggers`, `reconcile`)."""
        return self.aws.taken_from(getattr(self.aws, name))

    def count_delayed(self, name: str) -> int:
        """Return how many delayed messages a queue holds."""
        wanted = "ApproximateNumberOfMessagesDelayed"
        counts = sqs_client(self.aws.url).get_queue_attributes(
            QueueUrl=getattr(self.aws, name), AttributeNames=[wanted]
        )
        return int(counts["Attributes"][wanted])


def record_of(execution: Execution, command: Command) -> dict[str, Any]:
    """Return the SQS record of a message for the executor."""
    body = {
        "command": command.value,
        "execution_id": execution.id,
        "api_key_id": execution.api_key_id,
        "symbol": execution.symbol,
    }
    attributes = {"MessageGroupId": execution.api_key_id, "ApproximateReceiveCount": "1", "SentTimestamp": "0"}
    return {"messageId": execution.id, "body": json.dumps(body), "attributes": attributes}
