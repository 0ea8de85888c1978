"""The risk profiles as both APIs list them."""

from __future__ import annotations

from decimal import Decimal
from typing import TypedDict

from shared.api.answers import Id, Time
from shared.api.paging import Listing, listing, load_by_id, query_page
from shared.api.requests import ListQuery
from shared.clock import to_iso
from shared.models.base import LISTED
from shared.models.risk_profile import RiskProfile


class RiskProfileItem(TypedDict):
    """One risk profile."""

    id: Id
    name: str
    percentage: Decimal
    createdAt: Time
    updatedAt: Time


def list_profiles(query: ListQuery) -> Listing[RiskProfileItem]:
    """Return a page of the risk profiles, oldest first."""
    page = query_page(
        RiskProfile.by_created.query, LISTED, load=load_by_id(RiskProfile), limit=query.limit, after=query.start
    )
    return listing(map(risk_profile_item, page.records), token=query.token_of(page))


def risk_profile_item(profile: RiskProfile) -> RiskProfileItem:
    """Return a risk profile as documented."""
    return {
        "id": profile.id,
        "name": profile.name,
        "percentage": profile.percentage,
        "createdAt": to_iso(profile.created_at),
        "updatedAt": to_iso(profile.updated_at),
    }
