"""AdminStrategyExpressJSv1: the routes of strategies' triggers. What they do stands in `service`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.admin_strategy import service
from functions.admin_strategy.schemas import StrategyHistory
from shared.api.admin_api import AdminApi
from shared.api.requests import ListQuery

app = AdminApi()


@app.get("/v1/admin/strategy/trigger/history/<strategy_id>")
def list_history(strategy_id: str) -> StrategyHistory:
    """List History: the strategy's triggers, newest first."""
    strategy = service.find_strategy(strategy_id)
    return service.list_history(strategy, app.query(ListQuery))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the admin API."""
    return app.resolve(event, context)
