"""Which of our addresses a key is bound to at the exchange, as its owner says: they name the lanes that trade with it.

The exchange tells only whether a key is bound to addresses, not to which.
"""

from __future__ import annotations

from collections.abc import Sequence

from functions.exchange.refusals import refused
from functions.exchange.schemas import OwnExchangeKeyItem
from shared.api.paging import Listing, listing
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import ExchangeKey
from shared.trading.connection import KeyRefusal
from shared.trading.lane_choice import FIRST_LANE
from shared.views import exchange_keys
from shared.views.exchange_keys import ExchangeKeyQuery, exchange_key_item


def lanes_at(addresses: Sequence[str]) -> list[str]:
    """Return the lanes at these addresses, the first lane first.

    Raise RequestUnprocessable if one is not ours, or if the first lane's is missing.
    """
    lanes = {address: lane for lane, address in EgressLane.addresses().items()}
    for address in addresses:
        if address not in lanes:
            raise refused([KeyRefusal.ADDRESS_UNKNOWN], param="addresses", value=address)
    named = [lane for address, lane in lanes.items() if address in addresses]
    if FIRST_LANE not in named:
        raise refused([KeyRefusal.FIRST_ADDRESS_MISSING], param="addresses", value=list(addresses))
    return named


def list_keys(user_id: str, query: ExchangeKeyQuery) -> Listing[OwnExchangeKeyItem]:
    """Return a page of the user's keys, newest first."""
    page = exchange_keys.read_page(user_id, query)
    return listing(own_key_items(page.records), token=query.token_of(page))


def own_key_item(key: ExchangeKey) -> OwnExchangeKeyItem:
    """Return a key as its owner sees it."""
    return own_key_items([key])[0]


def own_key_items(keys: Sequence[ExchangeKey]) -> list[OwnExchangeKeyItem]:
    """Return keys as their owner sees them."""
    ours = EgressLane.addresses()
    return [
        {**exchange_key_item(key), "addresses": [ours[lane] for lane in ours if lane in key.named_lanes]}
        for key in keys
    ]
