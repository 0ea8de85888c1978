"""Only the tables that notices need."""

from __future__ import annotations

import pytest

from shared.models.idempotency_key import IdempotencyKey
from shared.models.notice import Notice
from shared.models.telegram_link import TelegramLink
from shared.models.user import User
from tests.unit.conftest import Queues, create_tables


@pytest.fixture
def tables(aws: Queues) -> Queues:
    create_tables(IdempotencyKey, Notice, TelegramLink, User)
    return aws
