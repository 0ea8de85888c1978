"""Passes a message on to another lane: the exchange bans this lane's address, or the key does not bind it any more."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace

from shared.exchange.lanes import limiter_of
from shared.messages import OrderMessage
from shared.models.exchange_key import ExchangeKey
from shared.observability import count_outcome, logger
from shared.order_dispatch import route_past
from shared.trading.lane_choice import bound_lanes


async def pass_on(message: OrderMessage, key: ExchangeKey | None, *, lane: str) -> bool:
    """Queue the message at the lane that can take it, and return whether there was one; nothing of it was done then.

    A message is passed on once, so that two lanes that know different things do not send it to and fro.
    """
    banned_until = limiter_of(lane).banned_until
    if key is None or message.handed_over or (banned_until is None and lane in bound_lanes(key.named_lanes)):
        return False
    other, routes = await asyncio.to_thread(route_past, lane, key.named_lanes, banned_until=banned_until)
    if other == lane:
        return False
    handed_over = replace(message, handed_over=True)
    await asyncio.to_thread(routes.send_messages, [handed_over], lane=other, delivery=str(uuid.uuid4()))
    logger.warning("message_handed_over", execution_id=message.execution_id, lane=lane, to_lane=other)
    count_outcome("message_handed_over")
    return True
