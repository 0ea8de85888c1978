"""The alerts that the webhook has refused, as the admin API lists them."""

from __future__ import annotations

from typing import TypedDict

from shared.api.answers import Id, Time
from shared.api.paging import Listing, listing, load_by_id, query_page
from shared.api.requests import ListQuery
from shared.clock import to_iso
from shared.models.base import LISTED
from shared.models.refused_alert import RefusedAlert


class AlertFault(TypedDict):
    """What was wrong with one field."""

    param: str
    msg: str


class RefusedAlertItem(TypedDict):
    """One refused alert; `body` is its JSON without secrets, and `cut` tells whether it was longer."""

    strategyId: Id
    status: int
    errors: list[AlertFault]
    body: str
    cut: bool
    receivedAt: Time


def list_refused_alerts(query: ListQuery) -> Listing[RefusedAlertItem]:
    """Return a page of the refused alerts of the last 30 days, newest first."""
    page = query_page(
        RefusedAlert.by_created.query,
        LISTED,
        load=load_by_id(RefusedAlert),
        limit=query.limit,
        after=query.start,
        newest_first=True,
    )
    return listing(map(_item, page.records), token=query.token_of(page))


def _item(alert: RefusedAlert) -> RefusedAlertItem:
    return {
        "strategyId": alert.strategy_id,
        "status": alert.status,
        "errors": [{"param": fault["param"], "msg": fault["msg"]} for fault in alert.faults],
        "body": alert.body,
        "cut": alert.cut,
        "receivedAt": to_iso(alert.created_at),
    }
