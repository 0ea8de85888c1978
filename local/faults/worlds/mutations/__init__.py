"""The product with one of its rules removed, to show that the checks notice. Changes nothing permanently.

entries.py   an entry and its stop
sizing.py    the amount of an entry
exits.py     stops, trailing stops, closes, exit alerts and updates
owners.py    which key has an account's position
booking.py   what is booked of a position that has ended
records.py   our records
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from local.faults.worlds.mutations import booking, entries, exits, owners, records, sizing

MUTATIONS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "no_look_up": entries.without_look_up,
    "early_stop": entries.with_early_stop,
    "order_of_arrival": entries.in_order_of_arrival,
    "passed_targets": entries.for_passed_targets,
    "not_placed_ends": entries.tried_once,
    "unfit_keys_read": entries.of_unfit_keys,
    "exits_need_filters": exits.needing_filters,
    "exits_of_newer": exits.closing_newer_positions,
    "exits_ignored": exits.closing_nothing,
    "reductions_of_the_rest": exits.reduced_from_what_is_left,
    "stops_move_back": exits.moving_stops_back,
    "updates_ignored": exits.without_requested_stops,
    "breakeven_ignored": exits.without_breakeven,
    "activation_alone": exits.with_activation_alone,
    "stop_sent_unchanged": exits.sent_again_unchanged,
    "no_account_claims": owners.without_claims,
    "no_conditions": records.without_conditions,
    "risk_from_order_price": sizing.from_order_price,
    "no_fees_in_budget": sizing.without_fees,
    "risk_to_trigger": sizing.to_the_trigger_alone,
    "no_own_settings": sizing.without_own_settings,
    "forced_closes_unnamed": booking.without_exchange_closes,
    "no_stored_history": booking.without_stored_history,
}
"""Name → the product without that rule."""


def mutated(name: str) -> AbstractContextManager[Any]:
    """Return the product without one of its rules, or as it is for an empty name."""
    return MUTATIONS[name]() if name else nullcontext()
