"""AdminSettingStrategyExpressJSv1: the routes of strategies and risk profiles. The use cases are in `service`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.content_types import APPLICATION_JSON
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.admin_setting_strategy import service
from functions.admin_setting_strategy.alert_check import check_alert
from functions.admin_setting_strategy.schemas import (
    AlertCheck,
    AlertMessage,
    NewRiskProfile,
    NewStrategy,
    ReportKeyChange,
    RiskProfileChange,
    RulesChange,
    RulesItem,
    StrategyChange,
    StrategyItem,
    WebhookItem,
    rules_item,
)
from shared.api.admin_api import AdminApi
from shared.api.answers import OWN, AlertFaults, ErrorText
from shared.api.paging import Listing
from shared.api.requests import ListQuery
from shared.views import risk_profiles
from shared.views.risk_profiles import RiskProfileItem

REPORT_KEY_REFUSED = 433
"""No registered status code, but the documented one."""

REFUSED_REPORT_KEY: OpenAPIResponse = {
    "description": "The exchange refuses the report key.",
    "content": {APPLICATION_JSON: {"model": ErrorText}},
}

FAULTY_MESSAGE: OpenAPIResponse = {
    "description": "The webhook would refuse the message, or the body is no message.",
    "content": {APPLICATION_JSON: {"model": AlertFaults}},
}

app = AdminApi()


@app.get("/v1/admin/setting/strategy/list")
def list_strategies() -> Listing[StrategyItem]:
    """List Strategy Automated, oldest first."""
    return service.list_strategies(app.query(ListQuery))


@app.post("/v1/admin/setting/strategy", responses={REPORT_KEY_REFUSED: REFUSED_REPORT_KEY})
def create_strategy() -> StrategyItem:
    """Create Strategy Automated."""
    return service.create_strategy(app.body(NewStrategy))


@app.put("/v1/admin/setting/strategy/<strategy_id>")
def update_strategy(strategy_id: str) -> StrategyItem:
    """Update Strategy Automated."""
    strategy = service.find_strategy(strategy_id)
    return service.update_strategy(strategy, app.body(StrategyChange))


@app.put(
    "/v1/admin/setting/strategy/<strategy_id>/report",
    openapi_extensions=OWN,
    responses={REPORT_KEY_REFUSED: REFUSED_REPORT_KEY},
)
def replace_report_key(strategy_id: str) -> StrategyItem:
    """Replace the strategy's report key: from the next report on, its account is the leader's."""
    strategy = service.find_strategy(strategy_id)
    return service.replace_report_key(strategy, app.body(ReportKeyChange))


@app.get("/v1/admin/setting/strategy/<strategy_id>/rules", openapi_extensions=OWN)
def show_rules(strategy_id: str) -> RulesItem:
    """Return the strategy's own rules: what its next alert is carried out by."""
    return rules_item(service.find_strategy(strategy_id))


@app.put("/v1/admin/setting/strategy/<strategy_id>/rules", openapi_extensions=OWN)
def change_rules(strategy_id: str) -> RulesItem:
    """Change the strategy's own rules, from its next alert on."""
    strategy = service.find_strategy(strategy_id)
    return service.change_rules(strategy, app.body(RulesChange))


@app.post("/v1/admin/setting/strategy/<strategy_id>/webhook", openapi_extensions=OWN)
def renew_webhook(strategy_id: str) -> WebhookItem:
    """Give the strategy a new webhook secret, shown this once; the old one dies at once."""
    return service.renew_webhook(strategy_id)


@app.post(
    "/v1/admin/setting/strategy/<strategy_id>/webhook/check", openapi_extensions=OWN, responses={422: FAULTY_MESSAGE}
)
def check_message(strategy_id: str) -> AlertCheck:
    """Check a message for TradingView: what each field of it would do, or its 422. Trades and stores nothing."""
    strategy = service.find_strategy(strategy_id)
    return check_alert(strategy, app.body(AlertMessage))


@app.get("/v1/admin/setting/strategy/profile/list")
def list_risk_profiles() -> Listing[RiskProfileItem]:
    """List Strategy Risk Profile, oldest first."""
    return risk_profiles.list_profiles(app.query(ListQuery))


@app.post("/v1/admin/setting/strategy/profile")
def create_risk_profile() -> RiskProfileItem:
    """Create Strategy Risk Profile."""
    return service.create_risk_profile(app.body(NewRiskProfile))


@app.put("/v1/admin/setting/strategy/profile/<risk_profile_id>")
def update_risk_profile(risk_profile_id: str) -> RiskProfileItem:
    """Update Strategy Risk Profile."""
    profile = service.find_risk_profile(risk_profile_id)
    return service.update_risk_profile(profile, app.body(RiskProfileChange))


@app.answers(service.ReportKeyRefused)
def answer_refused_report_key(_: service.ReportKeyRefused) -> Response[Any]:
    """Answer that the exchange refuses the strategy's report key."""
    return Response(
        status_code=REPORT_KEY_REFUSED,
        content_type=APPLICATION_JSON,
        body={"error": "exchange API authorization failed (1103)"},
    )


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the admin API."""
    return app.resolve(event, context)
