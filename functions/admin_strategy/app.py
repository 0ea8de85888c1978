"""AdminStrategyExpressJSv1: the routes of strategies' triggers and results, whose use cases are beside this."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.admin_strategy import performance, service, timeline
from functions.admin_strategy.performance import StrategyPerformance
from functions.admin_strategy.schemas import StrategyHistory
from functions.admin_strategy.timeline import Timeline
from shared.api.admin_api import AdminApi
from shared.api.answers import OWN
from shared.api.csv_text import CsvFile
from shared.api.days import SinceQuery
from shared.api.formats import FormattedListQuery
from shared.api.requests import ListQuery

app = AdminApi()


@app.get("/v1/admin/strategy/trigger/history/<strategy_id>")
def list_history(strategy_id: str) -> StrategyHistory:
    """List History: the strategy's triggers, newest first."""
    strategy = service.find_strategy(strategy_id)
    return service.list_history(strategy, app.query(ListQuery))


@app.get("/v1/admin/strategy/trigger/<trigger_id>/timeline", openapi_extensions=OWN)
def show_timeline(trigger_id: str) -> Timeline | CsvFile:
    """Show Timeline: what became of each follower, and when. In CSV if `format` says so, or without it, `Accept`."""
    trigger = timeline.find_trigger(trigger_id)
    query = app.query(FormattedListQuery)
    shown = timeline.show_timeline(trigger, query)
    return timeline.timeline_file(shown) if app.wants_csv(query) else shown


@app.get("/v1/admin/strategy/<strategy_id>/performance", openapi_extensions=OWN)
def show_performance(strategy_id: str) -> StrategyPerformance:
    """Get Strategy Performance: the leader's own account and the followers, side by side."""
    strategy = service.find_strategy(strategy_id)
    return performance.show_performance(strategy, app.query(SinceQuery))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the admin API."""
    return app.resolve(event, context)
