"""AdminStrategyFollowerExpressJSv1: the routes of strategies' followers. The use cases are in `service`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.admin_strategy_follower import closing, exit_fields, ordering, service, settings
from functions.admin_strategy_follower.schemas import (
    ExitOrder,
    FollowerItem,
    FollowerSettings,
    NewOrders,
    NewSettings,
    QueuedExit,
    QueuedItems,
    ReduceOrder,
    UpdateOrder,
)
from shared.api.admin_api import AdminApi
from shared.api.answers import OWN
from shared.api.idempotency import HEADER, IdempotentRequest, key_faults
from shared.api.paging import Listing
from shared.api.requests import ListQuery
from shared.trading.sides import TriggerAction
from shared.trading.signal import Content
from shared.views.closings import ClosingItem

app = AdminApi()


@app.get("/v1/admin/strategy/follower/<strategy_id>/list")
def list_followers(strategy_id: str) -> Listing[FollowerItem]:
    """List Followers, newest first."""
    strategy = service.find_strategy(strategy_id)
    return service.list_followers(strategy, app.query(ListQuery))


@app.post("/v1/admin/strategy/follower/<follower_id>")
def place_orders(follower_id: str) -> QueuedItems | QueuedExit:
    """New Orders: answered at once, carried out by the order executor. With a `type`, they reduce or update instead."""
    follower = ordering.find_follower(follower_id)
    key = app.header(HEADER)
    faults = key_faults(key)
    found = exit_fields.read_exit(app.current_event.raw_event, faults=faults)
    if found is None:
        body = app.body(NewOrders, faults=faults)
        return ordering.place_orders(follower, body, repeatable=_repeatable(key, follower_id, body.content()))
    if found.action is TriggerAction.REDUCE:
        chosen: ExitOrder = app.body(ReduceOrder, faults=[*faults, *found.faults])
    else:
        chosen = app.body(UpdateOrder, faults=[*faults, *found.faults])
    content = exit_fields.content_of(found.asked, chosen)
    return ordering.place_exit(follower, found.asked, chosen, repeatable=_repeatable(key, follower_id, content))


def _repeatable(key: str | None, follower_id: str, content: dict[str, Content]) -> IdempotentRequest | None:
    if key is None:
        return None
    path = f"/v1/admin/strategy/follower/{follower_id}"
    return IdempotentRequest.of(key, caller_id=app.admin_id, path=path, content=content)


@app.get("/v1/admin/strategy/follower/<follower_id>/settings", openapi_extensions=OWN)
def show_settings(follower_id: str) -> FollowerSettings:
    """Follower Settings: how the follower's entries are sized and capped."""
    return settings.show_settings(ordering.find_follower(follower_id))


@app.put("/v1/admin/strategy/follower/<follower_id>/settings", openapi_extensions=OWN)
def change_settings(follower_id: str) -> FollowerSettings:
    """Update Follower Settings, from the next alert on; the user's list of events tells of it."""
    follower = ordering.find_follower(follower_id)
    return settings.change_settings(follower, app.body(NewSettings), cause=app.request_id)


@app.delete("/v1/admin/strategy/follower/<follower_id>")
def close_order(follower_id: str) -> Listing[ClosingItem]:
    """Close Order: answered at once, carried out by the order executor."""
    follower = ordering.find_follower(follower_id)
    return closing.close_one(follower, delivery=app.request_id)


@app.delete("/v1/admin/strategy/follower/<strategy_id>/all")
def close_all_orders(strategy_id: str) -> Listing[ClosingItem]:
    """Close All Orders: answered at once, carried out by the order executor."""
    strategy = service.find_strategy(strategy_id)
    return closing.close_all(strategy, delivery=app.request_id)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the admin API."""
    return app.resolve(event, context)
