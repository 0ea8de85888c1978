"""Has exchange keys inspected now, not within a day: those whose account is unknown, or those that are named.

Run against a deployment: `python -m local.inspections [API_KEY_ID ...]`. It may be run again at any time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from shared.clock import utc_now
from shared.messages import KeyMessage, send_keys
from shared.models.exchange_key import ExchangeKey
from shared.queues import Queue


def queue_inspections(key_ids: Sequence[str] = (), *, report: Callable[[str], object] = print) -> int:
    """Queue an inspection of each of these keys, or of all that trade automatically and whose account is unknown.

    Return how many were queued.
    """
    now = utc_now()
    waiting = key_ids or _without_account()
    send_keys([KeyMessage(api_key_id=key_id, asked_at=now) for key_id in waiting], queue=Queue.KEYS)
    report(f"{len(waiting)} inspection(s) queued")
    return len(waiting)


def _without_account() -> list[str]:
    listed = [key.id for key in ExchangeKey.list_active() if key.trades_automatically]
    return [key.id for key in ExchangeKey.find_many(listed, consistent=True).values() if key.account_alias is None]


if __name__ == "__main__":
    queue_inspections(sys.argv[1:])
