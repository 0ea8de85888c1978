"""A user pool beside the tables, for the endpoints that call Cognito."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from moto.cognitoidp.models import cognitoidp_backends
from moto.cognitoidp.responses import CognitoIdpResponse
from moto.core.responses import ActionResult, EmptyResult

from tests.unit.functions.admin_user.pool import Pool
from tests.unit.in_process_aws import Queues, aws_client


@pytest.fixture
def pool(admin_api: Queues, settings_from: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Pool:
    """Return a fresh pool, declared as template.yaml declares it, that the settings point at."""
    # moto does not have it yet. It does here what Cognito documents: the registration goes, and the preference with it.
    monkeypatch.setattr(CognitoIdpResponse, "admin_delete_software_token", _delete_software_token, raising=False)
    cognito = aws_client("cognito-idp")
    pool_id = cognito.create_user_pool(
        PoolName="users", UsernameAttributes=["email"], AutoVerifiedAttributes=["email"], MfaConfiguration="OPTIONAL"
    )["UserPool"]["Id"]
    client_id = cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="tests")["UserPoolClient"]["ClientId"]
    settings_from(USER_POOL_ID=pool_id)
    return Pool(pool_id, client_id)


def _delete_software_token(self: Any) -> ActionResult:
    backend = cognitoidp_backends[self.current_account][self.region]
    user = backend.admin_get_user(self._get_param("UserPoolId"), self._get_param("Username"))
    user.token_verified = user.software_token_mfa_enabled = False
    if user.preferred_mfa_setting == "SOFTWARE_TOKEN_MFA":
        user.preferred_mfa_setting = ""
    return EmptyResult()
