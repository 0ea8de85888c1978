"""Sends the dead letters of a queue back to it: `make redrive STAGE=prod QUEUE=orders.fifo`.

Without a stage it acts on the stack of `make run`. Interrupted, it goes on when it is run again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from local.deployment.account import OpenedStack, open_stack
from local.deployment.command import exit_status_of
from shared import dead_letters
from shared.queues import Queue

_AT_ONCE = 100


def run(opened: OpenedStack, environment: Mapping[str, str], *, write: Callable[[str], object] = print) -> int:
    """Send back what QUEUE's dead letters are, and say how many; return the exit status."""
    wanted = environment.get("QUEUE", "")
    names = [queue for queue in dead_letters.QUEUES if wanted in (queue, queue.removesuffix(".fifo"))]
    if not names:
        write(f"name a queue: QUEUE={' or QUEUE='.join(Queue)}, or that of a lane: QUEUE=lane-2-orders.fifo")
        return 2
    sqs = opened.client("sqs")
    try:
        url = sqs.get_queue_url(QueueName=f"{opened.stack_name}-{names[0]}")["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        write(f"{opened.stack_name} has no queue {names[0]}")
        return 1
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"]).get("Attributes", {})
    dead = dead_letters.dead_letters_url(url, found)
    if dead is None:
        write(f"{names[0]} has no dead-letter queue")
        return 1
    # No more than were there at first: what fails again and comes back is not sent round and round.
    there, sent = _count(sqs, dead), 0
    while sent < there and (more := dead_letters.send_back(sqs, dead, to=url, at_most=min(_AT_ONCE, there - sent))):
        sent += more
    left = _count(sqs, dead)
    write(f"{names[0]}: {sent} sent back, {left} left" + ("; run it again in a minute" if left else ""))
    return 0


def _count(sqs: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Send back dead letters of the stage that is named, or of the stack of `make run`; return the exit status."""
    return exit_status_of(
        lambda: run(open_stack(arguments, environment), environment), advice="; run it again to go on"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
