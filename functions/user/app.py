"""UserExpressJSv1: the routes of a user's own account. The use cases are in `service`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.user import service
from functions.user.schemas import Profile
from shared.api.account_api import AccountApi
from shared.api.answers import OWN

app = AccountApi()


@app.get("/v1/account/user", openapi_extensions=OWN)
def get_profile() -> Profile:
    """Get Profile."""
    return service.get_profile(app.user)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the Account API."""
    return app.resolve(event, context)
