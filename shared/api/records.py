"""Finds the record that a request names by its id."""

from __future__ import annotations

from typing import TypeVar

from shared.errors import NotFound
from shared.models.base import Table

M = TypeVar("M", bound=Table)


def find_record(model: type[M], record_id: str, *, noun: str) -> M:
    """Return the record; raise NotFound with `noun` as the record's name."""
    record = model.find(record_id)
    if record is None:
        raise NotFound(f"{noun} {record_id} does not exist")
    return record
