"""The events that the user pool sends to its Lambdas, as far as we read them."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.models.user import CONFIRMED, Account


class _Read(BaseModel):
    # An event holds a person's data, which belongs in no traceback.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class UserAttributes(_Read):
    """A user's attributes: every value is text, and attributes without a value are missing."""

    sub: UUID
    status: str = Field(CONFIRMED, alias="cognito:user_status")
    email: str = ""
    email_verified: bool = False
    given_name: str = ""
    family_name: str = ""


class PoolRequest(_Read):
    """The part of the event that Cognito calls the request."""

    user_attributes: UserAttributes = Field(alias="userAttributes")


class PoolEvent(_Read):
    """An event after a confirmation or a sign-in."""

    username: str = Field("", alias="userName")
    """Of a user from another identity provider not the `sub`, but `Google_…`."""
    request: PoolRequest

    @property
    def account(self) -> Account:
        """The account in the event; a user who has just confirmed or signed in is enabled."""
        attributes = self.request.user_attributes
        user_id = str(attributes.sub)
        return Account(
            id=user_id,
            username=self.username if self.username != user_id else "",
            status=attributes.status,
            email=attributes.email,
            email_verified=attributes.email_verified,
            first_name=attributes.given_name,
            last_name=attributes.family_name,
        )
