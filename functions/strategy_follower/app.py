"""StrategyFollowerExpressJSv1: the routes of a user's own followers. The use cases are in `service`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.strategy_follower import service
from functions.strategy_follower.schemas import OwnFollowerItem
from shared.api.account_api import AccountApi
from shared.api.answers import OWN
from shared.api.csv_text import CsvFile
from shared.api.days import DaysListing, SinceQuery
from shared.api.paging import Listing
from shared.api.requests import ListQuery
from shared.models.performance_day import TradeLedger
from shared.views import histories
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


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the Account API."""
    return app.resolve(event, context)
