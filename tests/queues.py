"""The product's queues in a test's AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.queues import Queue

_FIFO = {"FifoQueue": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}


@dataclass(frozen=True)
class QueueUrls:
    """The URLs of a test's queues; `urls.stripe_events` is that of Queue.STRIPE_EVENTS."""

    urls: Mapping[Queue, str]

    def __getattr__(self, name: str) -> str:
        """Return the URL of a queue by its name in lower case."""
        if name.upper() not in Queue.__members__:
            raise AttributeError(name)
        return self.urls[Queue[name.upper()]]

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables that point the settings at the queues."""
        return {queue.url_variable: url for queue, url in self.urls.items()}


def create_queues(sqs: Any, *, suffix: str = "") -> dict[Queue, str]:
    """Create every queue, `suffix` at the end of its name, and return its URL."""
    urls: dict[Queue, str] = {}
    for queue in Queue:
        name, dot, fifo = queue.value.partition(".")
        attributes = _FIFO if queue.is_fifo else {}
        urls[queue] = sqs.create_queue(QueueName=f"{name}{suffix}{dot}{fifo}", Attributes=attributes)["QueueUrl"]
    return urls
