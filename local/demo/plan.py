"""The demo's change of plan: the stand-in for Stripe sends a signed event, and the user's plan follows."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from local.demo import json_http
from local.stripe import PRO_PRICE, STANDARD_PRICE
from shared.models.plan import Plan
from shared.models.user import User

_TIMEOUT_S = 60


def change_plan(session: Mapping[str, str], user_id: str) -> str:
    """Create a subscription to another plan at the stand-in for Stripe, and return a line about the user's new plan."""
    before = _plan_of(user_id)
    # Kept data may have PRO already, from an earlier run.
    price = STANDARD_PRICE if before == "PRO" else PRO_PRICE
    body = {"price": price, "metadata": {"user_id": user_id}}
    event = json_http.send("POST", f"{session['stripe']}/stand-in/subscriptions", body)["event"]
    deadline = time.monotonic() + _TIMEOUT_S
    while (plan := _plan_of(user_id)) == before:
        if time.monotonic() > deadline:
            sys.exit(f"the plan is still {before}, {_TIMEOUT_S} s after Stripe's event")
        time.sleep(0.05)
    return f"{event['type']}, signed: plan {before} → {plan}"


def _plan_of(user_id: str) -> str:
    return Plan.get(User.get(user_id, consistent_read=True).plan_id).name
