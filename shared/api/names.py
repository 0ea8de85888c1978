"""Names that stay unique under concurrent requests: claim and owner are written in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pynamodb.transactions import TransactWrite

from shared.api.requests import Fault, fault
from shared.clock import utc_now
from shared.errors import NotFound, RecordChanged, RequestUnprocessable, ServiceUnavailable
from shared.models.base import Table, transact
from shared.models.unique_name import NameKind, UniqueName

_ATTEMPTS = 3

M = TypeVar("M", bound=Table)


def name_taken(name: str) -> Fault:
    """Return the fault of a name that another record has."""
    return fault("name already exist", param="name", location="body", value=name)


def create_named(kind: NameKind, record: Any, *, also: Callable[[TransactWrite], None] | None = None) -> None:
    """Store a new record with its name; raise RequestUnprocessable when the name is taken.

    `also(transaction)` adds writes that succeed or fail together with this one; raise RecordChanged when one of those
    is refused, or the record exists already.
    """
    claim = UniqueName.claim_key(kind, record.name)

    def write(transaction: TransactWrite) -> None:
        UniqueName.take(transaction, claim, owner_id=record.id)
        transaction.save(record, condition=type(record).id.does_not_exist())
        if also is not None:
            also(transaction)

    try:
        transact(write)
    except RecordChanged as error:
        holder = None if also is None else UniqueName.find(claim)
        if also is None or (holder is not None and holder.owner_id != record.id):
            raise RequestUnprocessable([name_taken(record.name)]) from error
        raise


def change_named(kind: NameKind, record: M, changes: Mapping[str, Any], *, faults: list[Fault]) -> M:
    """Write some fields of a record, the name among them or not, and return the new record.

    Raise RequestUnprocessable for `faults`, preceded by that of a name that is taken. Only the fields in `changes` are
    written, so that concurrent changes of others stay.
    """
    model: Any = type(record)
    name = changes.get("name")
    for _ in range(_ATTEMPTS):
        now: Any = record
        new = None if name is None else UniqueName.claim_key(kind, name)
        holder = None if new is None else UniqueName.find(new)
        # A name may be claimed for a record that was never stored.
        if holder is not None and holder.owner_id != now.id and model.find(holder.owner_id) is not None:
            raise RequestUnprocessable([name_taken(str(name)), *faults])
        if faults:
            raise RequestUnprocessable(faults)
        if not changes:
            return record
        try:
            transact(_write_changes(kind, record, {**changes, "updated_at": utc_now()}, new_claim=new, holder=holder))
        except RecordChanged:
            # Renamed by a concurrent request, or the name was taken: read again.
            pass
        else:
            record.refresh(consistent_read=True)
            return record
        found = model.find(now.id)
        if found is None:
            raise NotFound(f"{kind.value} {now.id} does not exist")
        record = found
    raise ServiceUnavailable("the record is changing too fast, please repeat the request")


def _write_changes(
    kind: NameKind, record: Any, changes: Mapping[str, Any], *, new_claim: str | None, holder: UniqueName | None
) -> Callable[[TransactWrite], None]:
    model = type(record)
    actions = [
        getattr(model, field).remove() if value is None else getattr(model, field).set(value)
        for field, value in changes.items()
    ]
    # The old name is compared only if it changes, because its claim is released.
    unchanged = model.id.exists() if new_claim is None else model.name == record.name

    def write(transaction: TransactWrite) -> None:
        transaction.update(model(record.id), actions=actions, condition=unchanged)
        if new_claim is not None:
            from_id = holder.owner_id if holder is not None else None
            UniqueName.rename(
                transaction, kind, old=record.name, new=changes["name"], owner_id=record.id, from_id=from_id
            )

    return write
