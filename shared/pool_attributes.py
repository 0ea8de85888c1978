"""A user's attributes as Cognito writes them into its events and id tokens, and the account that they describe."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.models.user import CONFIRMED, Account


class UserAttributes(BaseModel):
    """A user's attributes: every value is text, and attributes without a value are missing."""

    # They are a person's data, which belongs in no traceback.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    sub: UUID
    status: str = Field(CONFIRMED, alias="cognito:user_status")
    """Events have it; whoever has an id token has confirmed the sign-up."""
    email: str = ""
    email_verified: bool = False
    given_name: str = ""
    family_name: str = ""

    def account(self, username: str) -> Account:
        """Return the account with this name in the pool; somebody who confirms or signs in is enabled."""
        user_id = str(self.sub)
        return Account(
            id=user_id,
            username=username if username != user_id else "",
            status=self.status,
            email=self.email,
            email_verified=self.email_verified,
            first_name=self.given_name,
            last_name=self.family_name,
        )
