"""Moves the claims of names to the form by which names are compared now. It may be run again at any time.

Run once against a deployment whose names were claimed by an earlier release: `python -m local.name_claims`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from pynamodb.transactions import TransactWrite

from shared.errors import RecordChanged
from shared.models.base import transact
from shared.models.plan import Plan
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.unique_name import NameKind, UniqueName

_NAMED = ((NameKind.STRATEGY, Strategy), (NameKind.RISK_PROFILE, RiskProfile), (NameKind.PLAN, Plan))


def move_claims(report: Callable[[str], object] = print) -> int:
    """Move the claim of every record, the oldest first, and return how many names another record has already."""
    taken = 0
    for kind, model in _NAMED:
        records: list[Strategy | RiskProfile | Plan] = sorted(model.scan(), key=lambda one: one.created_key)
        for record in records:
            try:
                transact(partial(_move, kind=kind, record=record))
            except RecordChanged:
                taken += 1
                holder = UniqueName.get(UniqueName.claim_key(kind, record.name)).owner_id
                report(f"{kind.value} {record.id}: its name reads like that of {holder}. Rename one of them.")
    report(f"{taken} name(s) to change")
    return taken


def _move(transaction: TransactWrite, *, kind: NameKind, record: Strategy | RiskProfile | Plan) -> None:
    UniqueName.rename(transaction, kind, old=record.name, new=record.name, owner_id=record.id)


if __name__ == "__main__":
    sys.exit(1 if move_claims() else 0)
