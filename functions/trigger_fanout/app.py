"""Lambda behind `triggers.fifo`: one record per trigger, in order within a strategy. Decides nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from functions.trigger_fanout.service import fan_out
from shared import messages
from shared.config import settings
from shared.messages import read_trigger_message
from shared.models import base
from shared.worker import GRACE_S, Record, run_batch

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_RESERVE_S = 2.0
"""Left for the answer: a function that is cut off fails the whole batch."""

if settings().in_lambda:
    # While the container starts, time is cheap: the first trigger finds its clients made.
    base.connect()
    messages.connect()


def lambda_handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a batch of triggers; answer which of them must come again."""
    remaining_s = context.get_remaining_time_in_millis() / 1000
    return run_batch(
        event, _handle, deadline_s=max(remaining_s - GRACE_S - _RESERVE_S, 0.0), queue_url=settings().triggers_queue_url
    )


async def _handle(record: Record) -> None:
    # Another delivery must not have its messages dropped as repeats of this one's.
    await fan_out(read_trigger_message(record.body), delivery=f"{record.message_id}-{record.receive_count}")
