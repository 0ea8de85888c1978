"""Only the tables that reports need."""

from __future__ import annotations

import pytest

from shared.models.execution import Execution
from shared.models.notice import Notice
from shared.models.notification_setting import NotificationSetting
from shared.models.performance_day import PerformanceDay
from shared.models.user import User
from tests.unit.conftest import Queues, create_tables


@pytest.fixture
def tables(aws: Queues) -> Queues:
    create_tables(Execution, Notice, NotificationSetting, PerformanceDay, User)
    return aws
