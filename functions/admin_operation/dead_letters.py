"""Shows the dead letters of a queue to an admin, and sends them back. Knows no HTTP, and handles no message."""

from __future__ import annotations

from typing import Annotated, ClassVar, TypedDict

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from functions.admin_operation.overview import queue_urls
from shared import dead_letters, queue_depths
from shared.api.answers import Time
from shared.api.fields import FaultMessage, whole_number
from shared.api.paging import Listing, listing
from shared.api.requests import Body, Query, fault
from shared.clock import to_iso
from shared.dead_letters import QUEUES, DeadLetter
from shared.errors import RequestUnprocessable
from shared.models.egress_lane import EgressLane
from shared.observability import logger
from shared.trading.lane_choice import LANES

MOST_SHOWN = 100
MOST_SENT = 500
"""In one request, which must end within seconds."""

_NO_QUEUE = "must be queue with dead letters"


def _known(name: str) -> str:
    if name not in QUEUES:
        raise ValueError("no such queue")
    return name


QueueName = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": list(QUEUES)}),
    FaultMessage(_NO_QUEUE),
]


class DeadLetterItem(TypedDict):
    """A message that failed ten times. Its body has ids, and nothing secret."""

    id: str
    group: str | None
    """Of a queue that keeps the order of its groups."""
    sentAt: Time
    body: str


class DeadLetterQuery(Query):
    """List Dead Letters: the query."""

    queue: QueueName
    limit: Annotated[
        int,
        BeforeValidator(whole_number),
        Field(ge=1, le=MOST_SHOWN),
        FaultMessage(f"must be integer from 1 to {MOST_SHOWN}"),
    ] = MOST_SHOWN


class RedriveItem(TypedDict):
    """How many messages were sent back, and about how many are left."""

    queue: str
    sent: int
    left: int


class RedriveBody(Body):
    """Redrive Dead Letters: the body."""

    answer: ClassVar[type] = RedriveItem

    queue: QueueName


def list_dead_letters(query: DeadLetterQuery) -> Listing[DeadLetterItem]:
    """Return messages of a queue's dead letters, which stay there."""
    _, dead = _urls(query.queue, location="query")
    found = dead_letters.read(queue_depths.sqs(), dead, limit=query.limit)
    return listing(map(_item, found), token=None)


def redrive(body: RedriveBody) -> RedriveItem:
    """Send the dead letters of a queue back to it, each once."""
    url, dead = _urls(body.queue, location="body")
    there = queue_depths.read_count(dead) or 0
    # No more than were there at first: what fails again and comes back is not sent round and round.
    sent = dead_letters.send_back(queue_depths.sqs(), dead, to=url, at_most=min(there, MOST_SENT))
    left = queue_depths.read_count(dead) or 0
    logger.warning("dead_letters_sent_back", queue=body.queue, sent=sent, left=left)
    return {"queue": body.queue, "sent": sent, "left": left}


def _urls(name: str, *, location: str) -> tuple[str, str]:
    """Return the URLs of a queue and of its dead letters; raise RequestUnprocessable for one that is not in use."""
    url = queue_urls(EgressLane.find_many(LANES)).get(name)
    dead = queue_depths.dead_letters_of(url) if url is not None else None
    if url is None or dead is None:
        raise RequestUnprocessable([fault(_NO_QUEUE, param="queue", location=location, value=name)])
    return url, dead


def _item(letter: DeadLetter) -> DeadLetterItem:
    return {"id": letter.id, "group": letter.group, "sentAt": to_iso(letter.sent_at), "body": letter.body}
