"""Reads and changes the notices' switches for an admin. Knows no HTTP, and sends no notice."""

from __future__ import annotations

from functions.admin_setting_notification.schemas import NotificationChange, NotificationItem, notification_item
from shared.clock import utc_now
from shared.models.notification_setting import SETTING_ID, NotificationSetting
from shared.observability import logger


def get_notification() -> NotificationItem:
    """Return the switches."""
    return notification_item(_setting())


def update_notification(body: NotificationChange) -> NotificationItem:
    """Set the switches in the request, and return all."""
    setting = _setting()
    changes = body.changes()
    if changes:
        actions = [getattr(NotificationSetting, name).set(value) for name, value in changes.items()]
        setting.update(actions=[*actions, NotificationSetting.updated_at.set(utc_now())])
        logger.info("notification_setting_updated", switches=sorted(changes))
    return notification_item(setting)


def _setting() -> NotificationSetting:
    """Return the one record; the first read creates it, with every switch off."""
    found = NotificationSetting.find(SETTING_ID)
    if found is not None:
        return found
    now = utc_now()
    setting = NotificationSetting(SETTING_ID, created_at=now, updated_at=now)
    setting.save_if_new()
    return setting
