"""Requests and answers of the endpoints of the notices' switches, by their documented names."""

from __future__ import annotations

from typing import ClassVar, TypedDict

from shared.api.answers import Time
from shared.api.fields import UNCHANGED, Flag
from shared.api.requests import Body
from shared.clock import to_iso
from shared.models.notification_setting import NotificationSetting


class NotificationItem(TypedDict):
    """Which notices are sent."""

    notifyUserReachNearMaxBalance: bool
    notifyAdminUserReachNearMaxBalance: bool
    notifyWeeklyReport: bool
    notifyMonthlyReport: bool
    createdAt: Time
    updatedAt: Time


class NotificationChange(Body):
    """Update Notification: the body."""

    answer: ClassVar[type] = NotificationItem

    notify_user_reach_near_max_balance: Flag = UNCHANGED
    notify_admin_user_reach_near_max_balance: Flag = UNCHANGED
    notify_weekly_report: Flag = UNCHANGED
    notify_monthly_report: Flag = UNCHANGED


def notification_item(setting: NotificationSetting) -> NotificationItem:
    """Return the switches as documented."""
    return {
        "notifyUserReachNearMaxBalance": setting.notify_user_reach_near_max_balance,
        "notifyAdminUserReachNearMaxBalance": setting.notify_admin_user_reach_near_max_balance,
        "notifyWeeklyReport": setting.notify_weekly_report,
        "notifyMonthlyReport": setting.notify_monthly_report,
        "createdAt": to_iso(setting.created_at),
        "updatedAt": to_iso(setting.updated_at),
    }
