"""AdminSettingNotificationExpressJSv1: the routes of the notices' switches. The use cases are in `service`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.admin_setting_notification import service
from functions.admin_setting_notification.schemas import NotificationChange, NotificationItem
from shared.api.admin_api import AdminApi

app = AdminApi()


@app.get("/v1/admin/setting/notification")
def get_notification() -> NotificationItem:
    """Get Notification."""
    return service.get_notification()


@app.put("/v1/admin/setting/notification")
def update_notification() -> NotificationItem:
    """Update Notification: only what the body names."""
    return service.update_notification(app.body(NotificationChange))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the admin API."""
    return app.resolve(event, context)
