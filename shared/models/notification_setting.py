"""Table `notification_settings`: the admins' settings for notices, in one record; all are off at first."""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from shared.models.attributes import TimeAttribute
from shared.models.base import Table, TableName

SETTING_ID = "default"


class NotificationSetting(Table):
    """Which notices are sent."""

    class Meta:
        table_name = TableName("notification_settings")

    id = UnicodeAttribute(hash_key=True, default=SETTING_ID)
    notify_user_reach_near_max_balance = BooleanAttribute(default=False)
    notify_admin_user_reach_near_max_balance = BooleanAttribute(default=False)
    notify_weekly_report = BooleanAttribute(default=False)
    notify_monthly_report = BooleanAttribute(default=False)
    created_at = TimeAttribute()
    updated_at = TimeAttribute()
