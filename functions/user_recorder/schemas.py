"""The events that the user pool sends to its Lambdas, as far as we read them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from shared.models.user import Account
from shared.pool_attributes import UserAttributes


class _Read(BaseModel):
    # An event holds a person's data, which belongs in no traceback.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


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
        """The account in the event."""
        return self.request.user_attributes.account(self.username)
