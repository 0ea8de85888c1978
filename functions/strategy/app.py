"""StrategyExpressJSv1: the routes of strategies, as users see them. The use cases are in `service`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.strategy import service
from functions.strategy.schemas import OpenStrategyItem
from shared.api.account_api import AccountApi
from shared.api.answers import OWN
from shared.api.days import SinceQuery
from shared.api.paging import Listing
from shared.api.requests import ListQuery
from shared.models.performance_day import TradeLedger
from shared.views import risk_profiles
from shared.views.performance import PerformanceAnswer, get_performance
from shared.views.risk_profiles import RiskProfileItem

app = AccountApi()


@app.get("/v1/strategy/list", openapi_extensions=OWN)
def list_strategies() -> Listing[OpenStrategyItem]:
    """List Active Strategies, oldest first: a page may hold fewer than `limit`, with more behind nextToken."""
    return service.list_strategies(app.query(ListQuery))


@app.get("/v1/strategy/profile/list", openapi_extensions=OWN)
def list_risk_profiles() -> Listing[RiskProfileItem]:
    """List Risk Profiles, oldest first."""
    return risk_profiles.list_profiles(app.query(ListQuery))


@app.get("/v1/strategy/<strategy_id>/performance", openapi_extensions=OWN)
def show_performance(strategy_id: str) -> PerformanceAnswer:
    """Get Strategy Performance: of the leader's own account, in the strategy's symbol."""
    strategy = service.find_strategy(strategy_id)
    return get_performance(strategy.id, TradeLedger.LEADER, app.query(SinceQuery))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the Account API."""
    return app.resolve(event, context)
