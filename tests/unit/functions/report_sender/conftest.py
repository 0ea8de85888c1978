"""Only the tables that reports need."""

from __future__ import annotations

import pytest

from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.notice import Notice
from shared.models.notification_setting import NotificationSetting
from shared.models.performance_day import PerformanceDay
from shared.models.trigger import Trigger
from shared.models.user import User
from tests.unit.conftest import Queues, create_tables


@pytest.fixture
def tables(aws: Queues) -> Queues:
    create_tables(Execution, Follower, Notice, NotificationSetting, PerformanceDay, Trigger, User)
    return aws
