"""Table `executions`: one trigger on one follower, from queued to its end, with the plan and the result."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict, Unpack

from pynamodb.attributes import BooleanAttribute, JSONAttribute, UnicodeAttribute
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from shared.clock import from_iso, to_iso, utc_now
from shared.messages import Command, OrderMessage
from shared.models.attributes import (
    DecimalAttribute,
    EntrySettingsAttribute,
    EnumAttribute,
    IntegerAttribute,
    TimeAttribute,
    decimal_list,
    text_list,
)
from shared.models.base import (
    GlobalSecondaryIndex,
    IncludeProjection,
    KeysOnlyProjection,
    Table,
    TableName,
    epoch_after,
    transact,
)
from shared.models.execution_event import RETENTION, ExecutionEvent
from shared.models.exit_fields import exit_of
from shared.models.trigger_count import SHARDS, TriggerCount, shard_of
from shared.trading import exits
from shared.trading.execution import AnyReason, DenialReason, Desired, ExecutionState, can_move, is_active
from shared.trading.exits import Exit, Target
from shared.trading.lane_choice import FIRST_LANE
from shared.trading.place import PlaceInTime
from shared.trading.sides import Side, StopType, StrategySource, TriggerAction
from shared.trading.signal import Signal, trailing_of, without_targets
from shared.trading.target_weights import weigh_targets
from shared.trading.touch import TrailingStop, WatchedExits
from shared.trading.updates import Requested

OPEN_SHARDS = 16


def open_shard(number: int) -> str:
    """Return the partition of the open index with this number, 0 to OPEN_SHARDS - 1."""
    return f"open#{number}"


def open_shard_of(execution_id: str) -> str:
    """Return an active execution's partition of the open index."""
    return open_shard(zlib.crc32(execution_id.encode()) % OPEN_SHARDS)


def trigger_partition(trigger_id: str, execution_id: str) -> str:
    """Return the partition of the by-trigger index; it is sharded, since a trigger may have 10,000 executions."""
    return f"{trigger_id}#{shard_of(execution_id)}"


def trigger_partitions(trigger_id: str) -> list[str]:
    """Return all partitions of a trigger's executions."""
    return [f"{trigger_id}#{shard}" for shard in range(SHARDS)]


class ExecutionsByTrigger(GlobalSecondaryIndex["Execution"]):
    """A trigger's executions, in shards."""

    class Meta:
        index_name = "by_trigger"
        projection = KeysOnlyProjection()

    trigger_part = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class ExecutionsByUser(GlobalSecondaryIndex["Execution"]):
    """A user's executions in the order of creation."""

    class Meta:
        index_name = "by_user"
        projection = KeysOnlyProjection()

    user_id = UnicodeAttribute(hash_key=True)
    created_key = UnicodeAttribute(range_key=True)


class ExecutionsByFollower(GlobalSecondaryIndex["Execution"]):
    """A follower's executions in the order of creation."""

    class Meta:
        index_name = "by_follower"
        projection = KeysOnlyProjection()

    follower_id = UnicodeAttribute(hash_key=True)
    created_key = UnicodeAttribute(range_key=True)


class OpenExecutions(GlobalSecondaryIndex["Execution"]):
    """Sparse: active executions by the time when they are due. Read the record again before acting."""

    class Meta:
        index_name = "open"
        projection = IncludeProjection(["api_key_id", "symbol", "state"])

    open_shard = UnicodeAttribute(hash_key=True)
    due_at = TimeAttribute(range_key=True)


class RequestedCloses(GlobalSecondaryIndex["Execution"]):
    """Sparse: active executions whose close was requested, by the time of the request."""

    class Meta:
        index_name = "requested_closes"
        projection = KeysOnlyProjection()

    open_shard = UnicodeAttribute(hash_key=True)
    close_requested_at = TimeAttribute(range_key=True)


class HistoryReach(TypedDict, total=False):
    """How far the position's stored history reaches, as attributes of its execution."""

    fills_stored_until: datetime
    funding_stored_until: datetime


class WatchedPrices(TypedDict, total=False):
    """The prices at which something may happen to a position, as texts; None or absent where nothing does."""

    below: str | None
    """The highest trigger or target below the market."""
    above: str | None
    """The lowest one above it."""
    liquidation: str | None
    """By the mark price."""
    trailing: bool
    """Whether a trailing stop stands."""
    activation: str | None
    """Its activation price; None if it was active at once."""


class LastLook(TypedDict, total=False):
    """What the last look at a protected position has found, as attributes of its execution."""

    looked_at: datetime | None
    watched: WatchedPrices


class ExecutionChanges(HistoryReach, LastLook, total=False):
    """The attributes that `Execution.change` sets, beside the state and its reason; None removes one."""

    desired: Desired
    egress_lane: str
    equity: Decimal
    amount: Decimal
    caps: list[str]
    at_minimum: bool | None
    taker_rate: Decimal
    passed_targets: list[Decimal] | None
    filled_amount: Decimal | None
    entry_price: Decimal | None
    entry_filled_at: datetime | None
    protected_at: datetime
    naked_ms: int | None
    seen_amount: Decimal
    dust_left: bool
    stop_requested: Decimal | None
    breakeven_requested: bool | None
    breakeven_after: int | None
    breakeven_after_since: datetime | None
    take_profits: list[Decimal]
    targets_requested: list[Decimal] | None
    targets_requested_at: datetime | None
    targets_planned: list[Decimal]
    targets_since: datetime
    update_requested_at: datetime | None
    updated_by: str
    stop_moved_to: Decimal | None
    breakeven_passed: Decimal | None
    flat_since: datetime | None
    exited_at: datetime
    exit_price: Decimal | None
    fee: Decimal
    funding: Decimal
    profit: Decimal
    profit_pct: Decimal | None
    close_reason: str | None
    keep_share: Decimal | None
    reduced_to: Decimal
    amount_left: Decimal
    reduce_requested_at: datetime


class Execution(Table):
    """One trigger on one follower: a position with its stop, or the reason why there is none; or an exit's answer.

    `revision` rises with each change, and each change is conditional on it: of two workers that read the same record,
    only one can change it.
    """

    class Meta:
        table_name = TableName("executions")

    id = UnicodeAttribute(hash_key=True)
    """uuid5 of trigger and follower."""
    revision = IntegerAttribute(default=1)
    state = EnumAttribute(ExecutionState)
    desired = EnumAttribute(Desired, default=Desired.OPEN)
    close_requested_at = TimeAttribute(null=True)
    """When `desired` became CLOSED; absent on older records."""
    reason = UnicodeAttribute(null=True)
    """Why it was denied, was rejected or failed; empty for one that went well."""
    detail = UnicodeAttribute(null=True)
    state_times: JSONAttribute = JSONAttribute(default=dict)
    """State → when it was first reached (ISO text)."""

    # A snapshot, so that a later change of key, profile or plan does not change history.
    trigger_id = UnicodeAttribute()
    trigger_part = UnicodeAttribute()
    seq = IntegerAttribute()
    strategy_source = EnumAttribute(StrategySource)
    strategy_id = UnicodeAttribute()
    strategy_name = UnicodeAttribute(default="")
    follower_id = UnicodeAttribute()
    follower_key = UnicodeAttribute()
    """The follower's `created_key`: its range key, beside the strategy's id."""
    user_id = UnicodeAttribute()
    api_key_id = UnicodeAttribute()
    key_name = UnicodeAttribute(default="")
    egress_lane = UnicodeAttribute(default=FIRST_LANE)
    """The lane that its entry was given to, then the one that it left by; work on its position stays there."""
    egress_lanes = text_list(null=True)
    """The lanes that its key named; see `named_lanes`."""
    exchange_id = UnicodeAttribute()
    symbol = UnicodeAttribute()
    risk_profile_id = UnicodeAttribute()
    risk_pct = DecimalAttribute()
    entry_settings = EntrySettingsAttribute(null=True)
    """The follower's own settings; None while its profile alone decided."""
    plan_id = UnicodeAttribute(attr_name="subscription_id", null=True)
    max_balance_usd = IntegerAttribute(null=True)

    action = EnumAttribute(TriggerAction, default=TriggerAction.OPEN)
    """The trigger's: one that opens has a signal, an exit has none."""

    # The trigger's signal.
    side = EnumAttribute(Side, null=True)
    order_price = DecimalAttribute(null=True)
    stop = DecimalAttribute(null=True)
    stop_type = EnumAttribute(StopType, null=True)
    stop_at_breakeven = BooleanAttribute(null=True)
    """Of an update: whether the stop is to be at break-even."""
    take_profits = decimal_list(default=list)
    trailing_trigger = DecimalAttribute(null=True)
    callback_rate = DecimalAttribute(null=True)
    position_size = DecimalAttribute(null=True)
    """The strategy's own position after the alert, if it said so."""
    position_side = EnumAttribute(Side, null=True)
    """Of an exit: the side of the positions that it means; None means either."""

    # The trigger's: its own, or copies of its strategy's rules; see `Strategy`.
    breakeven_after = IntegerAttribute(null=True)
    take_profit_weights = decimal_list(null=True)
    max_chase = DecimalAttribute(null=True)

    fired_at = TimeAttribute(null=True)
    received_at = TimeAttribute()
    overtaken = BooleanAttribute(default=False)
    """True if a newer alert had been accepted before the trigger came."""

    keep_share = DecimalAttribute(null=True)
    """The share of the entry's amount that is to remain: of a reduction, what it asks; of a position, what all ask."""
    reduced_to = DecimalAttribute(null=True)
    """The `keep_share` that the position was brought down to last."""
    amount_left = DecimalAttribute(null=True)
    """What was left of the position then."""
    reduce_requested_at = TimeAttribute(null=True)
    """When `keep_share` was set or lowered last."""

    # Sizing and result. Amounts in the base asset, prices and money in the quote asset.
    equity = DecimalAttribute(null=True)
    amount = DecimalAttribute(null=True)
    caps = text_list(default=list)
    """The caps that made the amount smaller than its sizing asked for."""
    at_minimum = BooleanAttribute(null=True)
    """True if the amount is the exchange's minimum, which may lose more at the stop than `risk_pct`."""
    taker_rate = DecimalAttribute(null=True)
    """The fee of each way, a share of the notional, that the amount was sized with; absent on older records."""
    passed_targets = decimal_list(null=True)
    """Take-profits that the market had passed before the entry; they are left out."""
    filled_amount = DecimalAttribute(null=True)
    entry_price = DecimalAttribute(null=True)
    entry_filled_at = TimeAttribute(null=True)
    """When we learned of the fill; the time without a stop starts here."""
    protected_at = TimeAttribute(null=True)
    naked_ms = IntegerAttribute(null=True)
    """Milliseconds without a stop, measured."""
    seen_amount = DecimalAttribute(null=True)
    """The venue's position when our amount was last calculated from fills; while it is unchanged, so is ours."""
    stop_requested = DecimalAttribute(null=True)
    """The stop that updates ask for; removed when the market has passed it."""
    breakeven_requested = BooleanAttribute(null=True)
    breakeven_after_since = TimeAttribute(null=True)
    """The second of the update that `breakeven_after` is from; absent while it is the entry's own."""
    targets_requested = decimal_list(null=True)
    """The take-profits that updates ask for, the lowest first."""
    targets_requested_at = TimeAttribute(null=True)
    """The second of the update that they are from."""
    targets_planned = decimal_list(null=True)
    """The `targets_requested` that were planned last, or given up because the market had passed them."""
    targets_since = TimeAttribute(null=True)
    """When the present take-profits were planned; orders of older ones are cancelled. Absent for the entry's own."""
    update_requested_at = TimeAttribute(null=True)
    """When updates last asked for something of the position, until a look has seen to it."""
    updated_by = UnicodeAttribute(null=True)
    """The execution of the update that was recorded last."""
    stop_moved_to = DecimalAttribute(null=True)
    """Where the stop is to stand instead of its first price; written before the order that is to stand there."""
    breakeven_passed = DecimalAttribute(null=True)
    """The break-even price that the stop could not move to, because the market had passed it; it may come back."""
    dust_left = BooleanAttribute(null=True)
    """True once an amount is left that no market order can close; it keeps its stop and is reconciled rarely."""
    flat_since = TimeAttribute(null=True)
    """When the venue's position was first flat although the fills did not show the end yet."""
    looked_at = TimeAttribute(null=True)
    """When the protected position was last compared with the exchange; None if that must happen each time."""
    watched: JSONAttribute = JSONAttribute(null=True)
    """The prices of its exits then (`WatchedPrices`)."""
    exited_at = TimeAttribute(null=True)
    """When nothing of the position, and no order of it, was left at the exchange although it is not booked yet."""
    fills_stored_until = TimeAttribute(null=True)
    """By the exchange's clock: `position_history` has every fill that the exchange listed then."""
    funding_stored_until = TimeAttribute(null=True)
    """The same for funding payments."""
    exit_price = DecimalAttribute(null=True)
    fee = DecimalAttribute(null=True)
    """All fees; those in another asset are converted at its price at booking time."""
    funding = DecimalAttribute(null=True)
    """Received while the position was held; negative when paid."""
    profit = DecimalAttribute(null=True)
    """Realised profit after fees, funding included."""
    profit_pct = DecimalAttribute(null=True)
    """Net profit in percent of the entry's cost."""
    close_reason = UnicodeAttribute(null=True)

    # The watcher's sparse index; both are removed when the execution ends.
    open_shard = UnicodeAttribute(null=True)
    due_at = TimeAttribute(null=True)

    created_key = UnicodeAttribute()
    created_at = TimeAttribute()
    updated_at = TimeAttribute()
    closed_at = TimeAttribute(null=True)

    by_trigger = ExecutionsByTrigger()
    by_user = ExecutionsByUser()
    by_follower = ExecutionsByFollower()
    by_due = OpenExecutions()
    by_close_request = RequestedCloses()

    @property
    def place(self) -> PlaceInTime:
        """The trigger's place in time."""
        return PlaceInTime.of_trigger(
            self.action,
            fired_at=self.fired_at,
            received_at=self.received_at,
            seq=self.seq,
            by_admin=self.strategy_source is StrategySource.ADMIN,
        )

    @property
    def opens(self) -> bool:
        """Whether it opens a position; otherwise it carries out an exit."""
        return self.action is TriggerAction.OPEN

    @property
    def exit(self) -> Exit:
        """What the execution of an exit asks for."""
        return exit_of(self)

    @property
    def target(self) -> Target:
        """What is to become of the position."""
        if self.desired is Desired.CLOSED:
            return exits.CLOSED
        return exits.UNCHANGED if self.keep_share is None else Target(self.keep_share)

    @property
    def requested(self) -> Requested:
        """What updates have asked of the position."""
        since = self.breakeven_after_since
        return Requested(
            stop=self.stop_requested,
            breakeven=bool(self.breakeven_requested),
            breakeven_after=None if since is None else self.breakeven_after,
            second=since,
            take_profits=tuple(self.targets_requested or ()),
            targets_second=self.targets_requested_at,
        )

    @property
    def awaits_targets(self) -> bool:
        """Whether an update asks for take-profits that were not planned yet."""
        return self.targets_requested is not None and self.targets_requested != self.targets_planned

    def changes_for(self, requested: Requested) -> ExecutionChanges:
        """Return the attributes that record what updates ask of the position."""
        changes = ExecutionChanges(stop_requested=requested.stop, breakeven_requested=requested.breakeven or None)
        if requested.second is not None:
            changes["breakeven_after"] = requested.breakeven_after
            changes["breakeven_after_since"] = requested.second
        if requested.targets_second is not None:
            changes["targets_requested"] = list(requested.take_profits)
            changes["targets_requested_at"] = requested.targets_second
        return changes

    @property
    def is_to_be_reduced(self) -> bool:
        """Whether the position is to be smaller than it was brought down to last."""
        if not self.opens or self.keep_share is None or self.desired is Desired.CLOSED:
            return False
        return self.reduced_to is None or self.keep_share < self.reduced_to

    @property
    def is_to_be_updated(self) -> bool:
        """Whether no look has yet seen to what updates ask of the position."""
        return self.desired is not Desired.CLOSED and self.update_requested_at is not None

    @property
    def named_lanes(self) -> tuple[str, ...]:
        """The lanes that its key named when it was created."""
        return tuple(self.egress_lanes or [self.egress_lane])

    @property
    def active(self) -> bool:
        """Whether the execution has not ended."""
        return is_active(self.state)

    @property
    def may_be_at_exchange(self) -> bool:
        """Whether the exchange may have a position or an order of it; one that is only to be booked has none."""
        return self.active and self.exited_at is None

    @property
    def state_since(self) -> datetime | None:
        """When the present state was first reached."""
        since = self.state_times.get(self.state.value)
        return from_iso(since) if since else None

    @property
    def work_since(self) -> datetime | None:
        """Since when the work that the execution needs now has been waiting.

        A position may have been protected for weeks when its close, a reduction or an update is requested.
        """
        if self.state is not ExecutionState.PROTECTED:
            return self.state_since
        if self.desired is Desired.CLOSED:
            return self.close_requested_at or self.state_since
        requested = [self.reduce_requested_at if self.is_to_be_reduced else None, self.update_requested_at]
        return max((at for at in requested if at is not None), default=self.state_since)

    def message(self, command: Command) -> OrderMessage:
        """Return the executor's message about this execution."""
        return OrderMessage(command=command, execution_id=self.id, api_key_id=self.api_key_id, symbol=self.symbol)

    def signal(self) -> Signal:
        """Return the signal of a trigger that opens, for the trading core."""
        whole = Signal(
            side=self.side,
            order_price=self.order_price,
            stop=self.stop,
            stop_type=self.stop_type,
            take_profits=tuple(self.take_profits),
            trailing=trailing_of(self.trailing_trigger, self.callback_rate),
            weights=weigh_targets(self.take_profits, side=self.side, weights=self.take_profit_weights),
            breakeven_after=self.breakeven_after,
        )
        return without_targets(whole, self.passed_targets or ())

    def watched_exits(self) -> WatchedExits | None:
        """Return the exits of the protected position, as they stood at its last look; None if it must be looked at."""
        prices: WatchedPrices | None = self.watched
        if prices is None or self.looked_at is None:
            return None
        trailing = None
        if prices.get("trailing") and self.callback_rate is not None:
            activation = _decimal(prices.get("activation"))
            placed_at = self.protected_at or self.created_at
            trailing = TrailingStop(activation=activation, callback_pct=self.callback_rate, placed_at=placed_at)
        return WatchedExits(
            side=self.side,
            below=_decimal(prices.get("below")),
            above=_decimal(prices.get("above")),
            looked_at=self.looked_at,
            trailing=trailing,
            liquidation=_decimal(prices.get("liquidation")),
        )

    def _first_close_request(self, values: ExecutionChanges, now: datetime) -> dict[str, datetime]:
        requested = values.get("desired") is Desired.CLOSED and self.desired is not Desired.CLOSED
        return {"close_requested_at": now} if requested else {}

    def change(
        self,
        *,
        state: ExecutionState | None = None,
        reason: AnyReason | None = None,
        detail: str | None = None,
        due_at: datetime | None = None,
        worker: str | None = None,
        also: Callable[[TransactWrite], None] | None = None,
        **values: Unpack[ExecutionChanges],
    ) -> None:
        """Change the record, or raise RecordChanged if another writer has changed it since it was read.

        A `detail` without a `reason` goes into the event only: it tells of something that was got over.
        `state` must be reachable from the present one (ValueError otherwise). An end clears the open index and lowers
        the trigger's count in the same write. `values` are attributes to set; `also(transaction)` adds writes that
        must happen with this one or not at all.
        """
        new_state = state or self.state
        if state is not None and state is not self.state and not can_move(self.state, state):
            raise ValueError(f"no way from {self.state} to {state}")
        now = utc_now()
        ends = is_active(self.state) and not is_active(new_state)
        times = dict(self.state_times)
        times.setdefault(new_state.value, to_iso(now))
        changed: dict[str, Any] = {
            "revision": self.revision + 1,
            "state": new_state,
            "state_times": times,
            "updated_at": now,
            **values,
            **self._first_close_request(values, now),
        }
        if reason is not None:
            changed |= {"reason": reason, "detail": detail}
        if ends:
            changed |= {"closed_at": now, "open_shard": None, "due_at": None}
        elif due_at is not None:
            changed |= {"open_shard": open_shard_of(self.id), "due_at": due_at}

        def write(transaction: TransactWrite) -> None:
            transaction.update(
                Execution(self.id), actions=_actions(changed), condition=Execution.revision == self.revision
            )
            if new_state is not self.state or reason is not None or detail is not None:
                transaction.save(
                    ExecutionEvent(
                        execution_id=self.id,
                        revision=self.revision + 1,
                        at=now,
                        state=new_state.value,
                        reason=reason,
                        detail=detail,
                        worker=worker,
                        expires_at=epoch_after(now, RETENTION),
                    )
                )
            if ends:
                count = TriggerCount(self.trigger_id, shard_of(self.id))
                left_out = [TriggerCount.left_out.add(1)] if reason == DenialReason.WEIGHT_EXHAUSTED else []
                transaction.update(count, actions=[TriggerCount.active.add(-1), *left_out])
            if also is not None:
                also(transaction)

        transact(write)
        for name, value in changed.items():
            setattr(self, name, value)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _actions(changed: dict[str, Any]) -> list[Action]:
    actions: list[Action] = []
    for name, value in changed.items():
        attribute = getattr(Execution, name)
        actions.append(attribute.remove() if value is None else attribute.set(value))
    return actions
