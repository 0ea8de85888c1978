"""Table `refused_alerts`: alerts of known strategies that the webhook has refused, for the operator. Bounded."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from pynamodb.attributes import BooleanAttribute, JSONAttribute, UnicodeAttribute

from shared.clock import to_iso
from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import (
    LISTED,
    GlobalSecondaryIndex,
    KeysOnlyProjection,
    Table,
    TableName,
    conditional_write,
    created_key,
    epoch_after,
)

RETENTION = timedelta(days=30)
MOST_BODY = 4096
"""Characters of a body that are kept."""


class RefusedAlertsByCreation(GlobalSecondaryIndex["RefusedAlert"]):
    """Every refused alert, in the order of receipt."""

    class Meta:
        index_name = "by_created"
        projection = KeysOnlyProjection()

    listed = UnicodeAttribute(hash_key=True)
    created_key = UnicodeAttribute(range_key=True)


class RefusedAlert(Table):
    """One refused alert. The id is one of few for each strategy, status and time, so that a flood leaves few records.

    Which of them an alert gets depends on its content: a repeat is kept once.
    """

    class Meta:
        table_name = TableName("refused_alerts")

    id = UnicodeAttribute(hash_key=True)
    listed = UnicodeAttribute(null=True)
    created_key = UnicodeAttribute(null=True)
    """Both are absent from the marks of `tell`, which are no alerts."""
    strategy_id = UnicodeAttribute()
    status = IntegerAttribute()
    """What the webhook has answered: 401 or 422."""
    faults: JSONAttribute = JSONAttribute(default=list)
    """`{"param", "msg"}` of each fault of a 422, without the values."""
    body = UnicodeAttribute()
    """The body as JSON, without anything that may be a secret, up to MOST_BODY."""
    cut = BooleanAttribute(default=False)
    """Whether the body was longer."""
    created_at = TimeAttribute()
    expires_at = IntegerAttribute()

    by_created = RefusedAlertsByCreation()

    @classmethod
    def id_of(cls, strategy_id: str, *, status: int, body: str, at: datetime) -> str:
        """Return the id of an alert: one of four in an hour without the right secret, of ten in a minute with it.

        Anybody who knows the strategy's id can be answered with 401.
        """
        minutes, places = (60, 4) if status == 401 else (1, 10)  # noqa: PLR2004 - HTTP
        place = hashlib.sha256(body.encode()).digest()[0] % places
        period = int(at.timestamp()) // (60 * minutes)
        return f"{strategy_id}#{status}#{period}#{place}"

    @classmethod
    def keep(
        cls, record_id: str, *, strategy_id: str, status: int, faults: list[dict[str, str]], body: str, at: datetime
    ) -> bool:
        """Store a refused alert unless its id is taken; return whether it was stored."""
        record = cls(
            id=record_id,
            listed=LISTED,
            created_key=created_key(to_iso(at), record_id),
            strategy_id=strategy_id,
            status=status,
            faults=faults,
            body=body[:MOST_BODY],
            cut=len(body) > MOST_BODY,
            created_at=at,
            expires_at=epoch_after(at, RETENTION),
        )
        with conditional_write() as write:
            record.save(condition=cls.id.does_not_exist())
        return write.applied

    @classmethod
    def tell(cls, strategy_id: str, *, status: int, at: datetime) -> bool:
        """Record that the operator is told of a strategy's refusals; return False if that was done in this hour.

        Hours are those of the clock.
        """
        mark = cls(
            id=f"{strategy_id}#{status}#told#{int(at.timestamp()) // 3600}",
            strategy_id=strategy_id,
            status=status,
            body="",
            created_at=at,
            expires_at=epoch_after(at, timedelta(hours=2)),
        )
        with conditional_write() as write:
            mark.save(condition=cls.id.does_not_exist())
        return write.applied
