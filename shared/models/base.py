"""The base of all tables: name, connection, conditional writes, transactions, schema version. Holds no table itself."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from pynamodb.connection import Connection, TableConnection
from pynamodb.exceptions import DoesNotExist, PynamoDBException, TableError, TransactGetError, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, IncludeProjection, KeysOnlyProjection
from pynamodb.models import Model
from pynamodb.transactions import TransactGet, TransactWrite

from shared.config import settings
from shared.errors import RecordChanged
from shared.models.attributes import IntegerAttribute
from shared.process_state import on_reset, process_cache

__all__ = [
    "LISTED",
    "AllProjection",
    "GlobalSecondaryIndex",
    "IncludeProjection",
    "KeysOnlyProjection",
    "Table",
    "TableName",
    "conditional_write",
    "connect",
    "connection",
    "created_key",
    "epoch_after",
    "in_chunks",
    "read_together",
    "transact",
]

SCHEMA_VERSION = 2

LISTED = "ALL"
"""The only partition of the listing index of small tables: all records, ordered by creation."""

_T = TypeVar("_T")
_M = TypeVar("_M", bound="Table")

_MAX_ATTEMPTS = 8
_CONDITION_FAILED = {"ConditionalCheckFailed", "ConditionalCheckFailedException"}
# A conflict is a concurrent transaction on the same record; neither botocore nor PynamoDB retries it. The other codes
# are throttling inside a transaction, which is reported as a cancellation reason too.
_RETRYABLE = {
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
}


class TableName:
    """The deployed name of a table: a model's `Meta.table_name`, read from the environment when it is used."""

    def __init__(self, noun: str) -> None:
        self._noun = noun

    def __get__(self, instance: object, owner: type | None = None) -> str:
        return settings().restored_tables.get(self._noun, settings().table_prefix + self._noun)


def created_key(created_at: str, record_id: str) -> str:
    """Return the sort key that orders records by creation: `<ISO time>#<id>`."""
    return f"{created_at}#{record_id}"


def epoch_after(moment: datetime, delay: timedelta) -> int:
    """Return the Unix time in seconds for a TTL attribute. TTL deletes late, so conditions check the expiry too."""
    return int((moment.astimezone(UTC) + delay).timestamp())


def in_chunks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Yield the items in lists of at most `size`."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


@process_cache
def connection() -> Connection:
    """Return the process's connection, whose client and pool of sockets all tables share.

    A client per table would load botocore's model of DynamoDB once per table: 1.4 s instead of 0.16 s for fifteen
    tables.
    """
    return Connection(
        region=settings().aws_region,
        connect_timeout_seconds=1,
        read_timeout_seconds=4,
        max_retry_attempts=4,
        max_pool_connections=50,
    )


_connection_lock = threading.Lock()


def connect() -> None:
    """Create the process's DynamoDB client now rather than with the first request."""
    _ = connection().client


class Table(Model):
    """Base of all tables. Records carry the version of the schema they were written with."""

    schema_version = IntegerAttribute(default=SCHEMA_VERSION)

    @classmethod
    def _get_connection(cls) -> TableConnection:
        # Two threads that use a table for the first time must not both add it to the connection: the second would fail,
        # and so would every later use of the table in this process.
        with _connection_lock:
            found = super()._get_connection()
            if found.connection is not connection():
                meta = found.get_meta_table()
                try:
                    connection().get_meta_table(meta.table_name)
                except TableError:
                    connection().add_meta_table(meta)
                found.connection = connection()
            return found

    @classmethod
    def find(cls: type[_M], hash_key: Any, range_key: Any = None, *, consistent: bool = True) -> _M | None:
        """Return the record with this key, or None."""
        try:
            return cls.get(hash_key, range_key, consistent_read=consistent)
        except DoesNotExist:
            return None

    @classmethod
    def find_many(cls: type[_M], keys: Iterable[Any], *, consistent: bool = False) -> dict[Any, _M]:
        """Return the records with these keys (hash keys, or pairs) in the keys' order; missing ones are left out.

        A request is for 100 keys.
        """
        distinct = list(dict.fromkeys(keys))
        hash_name, range_name = cls._key_names()
        found = cls.batch_get(distinct, consistent_read=consistent) if distinct else []
        if range_name is None:
            by_key = {getattr(record, hash_name): record for record in found}
        else:
            by_key = {(getattr(record, hash_name), getattr(record, range_name)): record for record in found}
        # PynamoDB makes a set of the keys and DynamoDB answers in any order.
        return {key: by_key[key] for key in distinct if key in by_key}

    def save_if_new(self) -> bool:
        """Save the record unless its key exists, and return whether it is new; an existing record replaces this one."""
        hash_name, _ = self._key_names()
        with conditional_write() as write:
            self.save(condition=self.get_attributes()[hash_name].does_not_exist())
        if not write.applied:
            self.refresh(consistent_read=True)
        return write.applied

    def update_if(self, condition: Condition, actions: list[Action]) -> bool:
        """Update if the condition holds, and return whether it did; either way this becomes the stored record."""
        with conditional_write() as write:
            self.update(actions=actions, condition=condition)
        if not write.applied:
            self.refresh(consistent_read=True)
        return write.applied

    @classmethod
    def _key_names(cls) -> tuple[str, str | None]:
        names: dict[str, str] = {}
        for name, attribute in cls.get_attributes().items():
            if attribute.is_hash_key:
                names["hash"] = name
            elif attribute.is_range_key:
                names["range"] = name
        return names["hash"], names.get("range")


@on_reset
def _forget_connections() -> None:
    for table in Table.__subclasses__():
        table._connection = None


@dataclass(slots=True)
class ConditionalWrite:
    """The outcome of a write that depends on a condition."""

    applied: bool = False


@contextmanager
def conditional_write(*, otherwise: Exception | None = None) -> Iterator[ConditionalWrite]:
    """Suppress a write's failed condition, or raise `otherwise` from it; every other failure passes through."""
    write = ConditionalWrite()
    try:
        yield write
    except PynamoDBException as error:
        if _code(error) not in _CONDITION_FAILED:
            raise
        if otherwise is not None:
            raise otherwise from error
    else:
        write.applied = True


def transact(build: Callable[[TransactWrite], None]) -> None:
    """Write all operations that `build` adds, or none; retry conflicts and throttling.

    Raise RecordChanged if a condition failed; nothing was written then.
    """
    for attempt in range(1, _MAX_ATTEMPTS + 1):
        try:
            with TransactWrite(connection=connection()) as transaction:
                build(transaction)
        except TransactWriteError as error:
            reasons = _reasons(error)
            if reasons & _CONDITION_FAILED:
                raise RecordChanged("condition failed in a transaction") from error
            if attempt == _MAX_ATTEMPTS or not (reasons | {_code(error)}) & _RETRYABLE:
                raise
            time.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311 - jitter, not a secret
        else:
            return


def _code(error: PynamoDBException) -> str | None:
    """Return DynamoDB's error code, or None if the request or its response was lost."""
    # PynamoDB expects a response in every cause; a lost connection has none.
    return error.cause_response_code if isinstance(error.cause, ClientError) else None


def _reasons(error: TransactWriteError | TransactGetError) -> set[str]:
    """Return the reasons of a cancelled transaction; none if DynamoDB did not cancel it."""
    if not isinstance(error.cause, ClientError):
        return set()
    return {reason.code for reason in error.cancellation_reasons if reason is not None}


def read_together(*keys: tuple[type[Table], Any, Any]) -> list[Any]:
    """Return the records with these keys (model, hash key, range key or None) as of one moment, or None for each.

    One request, consistent across tables. It is retried while one of the records is being written.
    """
    for attempt in range(1, _MAX_ATTEMPTS + 1):
        try:
            with TransactGet(connection=connection()) as transaction:
                futures = [transaction.get(model, key, range_key) for model, key, range_key in keys]
        except TransactGetError as error:
            reasons = _reasons(error)
            if attempt == _MAX_ATTEMPTS or not (reasons | {_code(error)}) & _RETRYABLE:
                raise
            time.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311 - jitter, not a secret
        else:
            return [_present(future) for future in futures]
    raise AssertionError("unreachable: the last attempt returns or raises")


def _present(future: Any) -> Any:
    try:
        return future.get()
    except DoesNotExist:
        return None
