"""StrategyFollowerExpressJSv1: the routes of a user's own followers. The modules beside this one have the use cases."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.strategy_follower import changing, following, preview, readiness, service
from functions.strategy_follower.preview_schemas import Preview, PreviewQuery
from functions.strategy_follower.schemas import (
    EndedFollower,
    EndQuery,
    FollowerChange,
    NewFollower,
    OwnFollowerItem,
    ReadinessItem,
)
from shared.api.account_api import OPENS, AccountApi
from shared.api.answers import OWN
from shared.api.csv_text import CsvFile
from shared.api.days import DaysListing, SinceQuery
from shared.api.idempotency import HEADER, IdempotentRequest, key_faults
from shared.api.paging import Listing
from shared.api.records import find_own_follower
from shared.api.requests import ListQuery
from shared.models.performance_day import TradeLedger
from shared.views import histories
from shared.views.closings import ClosingItem
from shared.views.histories import ManualHistoryItem, StrategyHistoryItem
from shared.views.performance import PerformanceAnswer, get_performance
from shared.views.trade_query import TradeHistoryQuery

app = AccountApi()


@app.get("/v1/strategy/follower/list", openapi_extensions=OWN)
def list_followers() -> Listing[OwnFollowerItem]:
    """List Own Followers, newest first."""
    return service.list_followers(app.user.id, app.query(ListQuery))


@app.get("/v1/account/trade/strategy/history", openapi_extensions=OWN)
def list_strategy_history() -> DaysListing[StrategyHistoryItem] | CsvFile:
    """List Own Strategy History: newest first, of a `year` oldest first; in CSV each fill, fee and profit is a row."""
    query = app.query(TradeHistoryQuery)
    if app.wants_csv(query):
        return histories.strategy_file(app.user.id, query)
    return histories.list_own_strategy_history(app.user.id, query)


@app.get("/v1/account/trade/strategy/performance", openapi_extensions=OWN)
def get_strategy_performance() -> PerformanceAnswer:
    """Get Own Strategy Performance."""
    return get_performance(app.user.id, TradeLedger.STRATEGY, app.query(SinceQuery))


@app.get("/v1/account/trade/manual/history", openapi_extensions=OWN)
def list_manual_history() -> DaysListing[ManualHistoryItem] | CsvFile:
    """List Own Manual History: newest first, of a `year` oldest first; in CSV each fill, fee and profit is a row."""
    query = app.query(TradeHistoryQuery)
    if app.wants_csv(query):
        return histories.manual_file(app.user.id, query)
    return histories.list_own_manual_history(app.user.id, query)


@app.get("/v1/account/trade/manual/performance", openapi_extensions=OWN)
def get_manual_performance() -> PerformanceAnswer:
    """Get Own Manual Performance."""
    return get_performance(app.user.id, TradeLedger.MANUAL, app.query(SinceQuery))


@app.post("/v1/strategy/follower", openapi_extensions=OPENS)
def follow() -> OwnFollowerItem:
    """Follow a strategy with an exchange key and a risk profile; the next alert is the first."""
    idempotency_key = app.header(HEADER)
    body = app.body(NewFollower, faults=key_faults(idempotency_key))
    repeatable = None
    if idempotency_key is not None:
        repeatable = IdempotentRequest.of(
            idempotency_key, caller_id=app.user.id, path="/v1/strategy/follower", content=body.content()
        )
    return following.follow(app.user, body, repeatable=repeatable)


@app.put("/v1/strategy/follower/<follower_id>", openapi_extensions=OWN)
def change_follower(follower_id: str) -> OwnFollowerItem:
    """Update Follower: its risk profile or its mode, from the next alert on."""
    follower = find_own_follower(follower_id, user_id=app.user.id)
    return changing.change_follower(app.user, follower, app.body(FollowerChange), cause=app.request_id)


@app.delete("/v1/strategy/follower/<follower_id>", openapi_extensions=OWN)
def end_following(follower_id: str) -> EndedFollower:
    """End Following: an open position keeps its stop until it ends, or is closed now; then the follower is gone."""
    follower = find_own_follower(follower_id, user_id=app.user.id)
    query = app.query(EndQuery)
    return changing.end_following(follower, close=query.positions == "CLOSE", delivery=app.request_id)


@app.delete("/v1/strategy/follower/<follower_id>/position", openapi_extensions=OWN)
def close_position(follower_id: str) -> Listing[ClosingItem]:
    """Close Position: answered at once, carried out by the order executor; the follower stays."""
    follower = find_own_follower(follower_id, user_id=app.user.id)
    return changing.close_position(follower, delivery=app.request_id)


@app.get("/v1/strategy/follower/<follower_id>/readiness", openapi_extensions=OWN)
def show_readiness(follower_id: str) -> ReadinessItem:
    """Show what an alert would do for the follower now, by the rules of the order executor."""
    follower = find_own_follower(follower_id, user_id=app.user.id)
    return readiness.readiness_item(readiness.judge(follower))


@app.get("/v1/strategy/follower/<follower_id>/preview", openapi_extensions=OWN)
def preview_settings(follower_id: str) -> Preview:
    """Preview Settings: what the stored settings, or those of the query, would have made of the last 30 alerts."""
    follower = find_own_follower(follower_id, user_id=app.user.id)
    return preview.preview(follower, app.query(PreviewQuery))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the Account API."""
    return app.resolve(event, context)
