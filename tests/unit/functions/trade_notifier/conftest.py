"""Only the tables that notices need."""

from __future__ import annotations

import pytest

from shared.models.execution import Execution
from shared.models.notice import Notice
from tests.unit.conftest import Queues, create_tables


@pytest.fixture
def tables(aws: Queues) -> Queues:
    create_tables(Execution, Notice)
    return aws
