"""Table `orders`: every order of ours, written before it is sent."""

from __future__ import annotations

from enum import StrEnum

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from shared.models.attributes import DecimalAttribute, EnumAttribute, IntegerAttribute, TimeAttribute
from shared.models.base import Table, TableName
from shared.trading.ids import Leg
from shared.trading.order_planning import OrderType
from shared.trading.sides import Side


class OrderStatus(StrEnum):
    """The state of an order, as far as we know."""

    INTENDED = "INTENDED"
    """Written as an intent; it may or may not have reached the exchange."""
    OPEN = "OPEN"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    NOT_PLACED = "NOT_PLACED"
    """An entry that the exchange certainly did not take; it may be sent again as it is."""
    ABSENT = "ABSENT"
    """Proven never to have reached the exchange."""


class Order(Table):
    """One order of one execution, under its client order id."""

    class Meta:
        table_name = TableName("orders")

    execution_id = UnicodeAttribute(hash_key=True)
    client_order_id = UnicodeAttribute(range_key=True)
    leg = EnumAttribute(Leg)
    attempt = IntegerAttribute()
    type = EnumAttribute(OrderType)
    side = EnumAttribute(Side)
    amount = DecimalAttribute(null=True)
    price = DecimalAttribute(null=True)
    trigger_price = DecimalAttribute(null=True)
    stop_moved_to = DecimalAttribute(null=True)
    """Of a stop: the execution's `stop_moved_to` that it was planned for; absent for the first price."""
    reduce_only = BooleanAttribute(default=False)
    close_position = BooleanAttribute(default=False)
    conditional = BooleanAttribute(default=False)
    """True if it is one of the exchange's algo orders until it triggers."""
    status = EnumAttribute(OrderStatus, default=OrderStatus.INTENDED)
    exchange_order_id = UnicodeAttribute(null=True)
    actual_order_id = UnicodeAttribute(null=True)
    """Of a triggered conditional order: the exchange's id of the regular order that it became."""
    exchange_time_ms = IntegerAttribute(null=True)
    """The timestamp of the request, by the exchange's clock."""
    recv_window_ms = IntegerAttribute(null=True)
    """The exchange refuses the request after timestamp + window: only then can absence be proven."""
    filled = DecimalAttribute(null=True)
    average = DecimalAttribute(null=True)
    error = UnicodeAttribute(null=True)
    created_at = TimeAttribute()
    sent_at = TimeAttribute(null=True)
    updated_at = TimeAttribute()
