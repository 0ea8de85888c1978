"""AdminOperationExpressJSv1: the routes of operations, whose use cases are beside this. Maintenance closes none."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.admin_operation import alert_story, dead_letters, halts, lanes, maintenance, overview
from functions.admin_operation.alert_story import AlertStory, StoryQuery
from functions.admin_operation.dead_letters import DeadLetterItem, DeadLetterQuery, RedriveBody, RedriveItem
from functions.admin_operation.overview import Overview
from functions.admin_operation.schemas import (
    HaltBody,
    HaltItem,
    LaneChange,
    LaneItem,
    MaintenanceBody,
    MaintenanceItem,
)
from shared.api.admin_api import AdminApi
from shared.api.answers import OWN
from shared.api.halt_scopes import SCOPE_PATTERN, parse_scope
from shared.api.json_api import PathText
from shared.api.paging import Listing
from shared.api.requests import ListQuery
from shared.trading.lane_choice import LANES
from shared.views import refused_alerts
from shared.views.refused_alerts import RefusedAlertItem

app = AdminApi(
    path_texts={
        "scope": PathText(parse_scope, SCOPE_PATTERN),
        "lane": PathText(lambda text: text if text in LANES else None, "^lane-[0-9]+$"),
    },
    open_during_maintenance=True,
)


@app.get("/v1/admin/operation/overview", openapi_extensions=OWN)
def show_overview() -> Overview:
    """Show Overview: halts, lanes, queues, executions that need attention, and whom the last alerts reached."""
    return overview.show_overview()


@app.put("/v1/admin/operation/halt/<scope>", openapi_extensions=OWN)
def halt_entries(scope: str) -> HaltItem:
    """Halt Entries: of everything, a strategy or a lane. Exits go on. A standing halt gets the reason, and stands."""
    halts.require_known(scope)
    return halts.halt(scope, app.body(HaltBody))


@app.delete("/v1/admin/operation/halt/<scope>", openapi_extensions=OWN)
def resume_entries(scope: str) -> HaltItem:
    """Resume Entries: permit them again. Where they are not halted, nothing changes."""
    halts.require_known(scope)
    return halts.resume(scope)


@app.put("/v1/admin/operation/maintenance", openapi_extensions=OWN)
def set_maintenance() -> MaintenanceItem:
    """Set Maintenance: APIs and the alerts' webhook answer 503 while it is active, these endpoints excepted."""
    return maintenance.set_active(app.body(MaintenanceBody))


@app.put("/v1/admin/operation/lane/<lane>", openapi_extensions=OWN)
def update_lane(lane: str) -> LaneItem:
    """Update Lane: only what the body names. Null removes the address, the limit, a pause or a ban."""
    record = lanes.find_lane(lane)
    return lanes.update_lane(record, app.body(LaneChange))


@app.get("/v1/admin/operation/alert/refused/list", openapi_extensions=OWN)
def list_refused_alerts() -> Listing[RefusedAlertItem]:
    """List Refused Alerts, newest first: what the webhook has answered with 401 or 422 in the last 30 days."""
    return refused_alerts.list_refused_alerts(app.query(ListQuery))


@app.get("/v1/admin/operation/dead-letter/list", openapi_extensions=OWN)
def list_dead_letters() -> Listing[DeadLetterItem]:
    """List Dead Letters: the messages of a queue that failed ten times. They stay where they are."""
    return dead_letters.list_dead_letters(app.query(DeadLetterQuery))


@app.post("/v1/admin/operation/dead-letter/redrive", openapi_extensions=OWN)
def redrive_dead_letters() -> RedriveItem:
    """Redrive Dead Letters: send those of a queue back to it, each once, up to 500 at a time."""
    return dead_letters.redrive(app.body(RedriveBody))


@app.get("/v1/admin/operation/alert/<trigger_id>", openapi_extensions=OWN)
def show_alert(trigger_id: str) -> AlertStory:
    """Show Alert: the whole story of one, with each follower's execution, its events and its orders."""
    trigger = alert_story.find_trigger(trigger_id)
    return alert_story.show_alert(trigger, app.query(StoryQuery))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the admin API."""
    return app.resolve(event, context)
