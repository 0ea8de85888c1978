"""Reads a user's own account. Knows no HTTP."""

from __future__ import annotations

from functions.user.schemas import Profile, profile
from shared.models.plan import Plan
from shared.models.user import User


def get_profile(user: User) -> Profile:
    """Return the user with the plan, as our record has them: the token has just shown that Cognito has the account."""
    plan = Plan.find(user.plan_id, consistent=False) if user.plan_id else None
    return profile(user, plan)
