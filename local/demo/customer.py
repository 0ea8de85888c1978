"""A new customer's way by HTTP alone: signs up, buys a plan, connects an exchange account and follows the strategy.

Every request is one that `docs/tour.md` shows by hand. Nothing is read from our tables.
"""

from __future__ import annotations

import re
import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.demo import json_http
from local.demo.report import letters

_PLAN, _PROFILE = "PRO", "MODERATE"
_EQUITY = "9000"
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer who follows the demo strategy."""

    email: str
    token: str
    follower: Mapping[str, Any]
    """As the demo's seed describes a follower: id, name, profile, percentage, api_key."""
    lines: tuple[str, ...]
    """What happened on the way."""


def become_customer(session: Mapping[str, Any]) -> Customer:
    """Go the way of a new customer at the local stack; exit with what is missing after a minute of waiting."""
    name = secrets.token_hex(4)
    email = f"customer-{name}@example.com"
    token = _sign_up(session, email)
    api = _Api(session["api"], token)
    standing = _subscribe(api)
    key = _connect_key(session, api, name=name)
    follower, profile = _follow(session, api, key_id=key["id"])
    readiness = api.get(f"/v1/strategy/follower/{follower['id']}/readiness")
    ready = "ready for the next alert" if readiness["ready"] else f"not ready: {readiness['reasons']}"
    described = {
        "id": follower["id"],
        "name": "Customer",
        "profile": profile["name"],
        "percentage": profile["percentage"],
        "api_key": _api_key(name),
    }
    lines = (
        f"{email} signed up, and confirmed with the code of the letter",
        f"paid for the plan {_PLAN} at Stripe's checkout: {standing}",
        f"connected an exchange key ({key['apiKeyStatus']}) and follows the strategy at {profile['name']}: {ready}",
    )
    return Customer(email, token, described, lines)


class _Api:
    """The Account API, as one user sees it."""

    def __init__(self, address: str, token: str) -> None:
        self._address, self._headers = address, {"Authorization": token}

    def get(self, path: str) -> Any:
        return json_http.get(self._address + path, self._headers)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        repeatable = {"Idempotency-Key": secrets.token_hex(16)}
        return json_http.send("POST", self._address + path, body, self._headers | repeatable)

    def find(self, path: str, name: str) -> Any:
        """Return the record of this name in a list; exit where there is none."""
        for item in self.get(path)["items"]:
            if item["name"] == name:
                return item
        sys.exit(f"{path} has no {name}")


def _sign_up(session: Mapping[str, Any], email: str) -> str:
    """Sign up, confirm with the code that comes by e-mail, sign in, and return the id token."""
    password = secrets.token_urlsafe(16) + "aA1"
    names = [{"Name": "given_name", "Value": "Cleo"}, {"Name": "family_name", "Value": "Customer"}]
    attributes = [{"Name": "email", "Value": email}, *names]
    _cognito(session, "SignUp", Username=email, Password=password, UserAttributes=attributes)
    _cognito(session, "ConfirmSignUp", Username=email, ConfirmationCode=_code_for(session, email))
    sign_in = {"USERNAME": email, "PASSWORD": password}
    answer = _cognito(session, "InitiateAuth", AuthFlow="USER_PASSWORD_AUTH", AuthParameters=sign_in)
    return str(answer["AuthenticationResult"]["IdToken"])


def _cognito(session: Mapping[str, Any], operation: str, **body: Any) -> Any:
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"AWSCognitoIdentityProviderService.{operation}",
    }
    return json_http.send("POST", session["aws"], {"ClientId": session["cognito"]["clientId"], **body}, headers)


def _code_for(session: Mapping[str, Any], email: str) -> str:
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        for letter in letters(session["aws"], email):
            if code := re.search(r"\b\d{6}\b", f"{letter.get('BodyText', '')} {letter.get('BodyHtml', '')}"):
                return code[0]
        time.sleep(0.1)
    sys.exit(f"no letter with a code came to {email} within {_TIMEOUT_S} s")


def _subscribe(api: _Api) -> str:
    """Pay for the plan on Stripe's page, and return the plan's standing once Stripe's event has changed it."""
    plan = api.find("/v1/subscription/list", _PLAN)
    page = api.post("/v1/subscription/checkout", {"subscriptionId": plan["id"]})["url"]
    json_http.submit(page, {"card": "good"})
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        own = api.get("/v1/subscription")
        if (own["SubscriptionType"] or {}).get("id") == plan["id"]:
            return str(own["standing"])
        if time.monotonic() > deadline:
            sys.exit(f"the plan is not {_PLAN}, {_TIMEOUT_S} s after it was paid")
        time.sleep(0.1)


def _connect_key(session: Mapping[str, Any], api: _Api, *, name: str) -> Any:
    """Open an account at the paper exchange with what a key needs, and connect its key."""
    secret = secrets.token_hex(16)
    account = {"apiKey": _api_key(name), "secret": secret, "balances": {"USDT": _EQUITY}}
    json_http.send("POST", f"{session['exchange']}/paper/accounts", account)
    return api.post(
        "/v1/exchange/key",
        {
            "exchangeId": "BINANCE",
            "tradeType": "FUTURES",
            "strategyType": "AUTOMATED",
            "name": "Customer",
            "apiKey": account["apiKey"],
            "apiSecretKey": secret,
        },
    )


def _api_key(name: str) -> str:
    return f"customer-{name}"


def _follow(session: Mapping[str, Any], api: _Api, *, key_id: str) -> tuple[Any, Any]:
    """Follow the demo strategy, and return the follower and its risk profile."""
    profile = api.find("/v1/strategy/profile/list", _PROFILE)
    body = {"strategyId": session["strategyId"], "apiKeyId": key_id, "riskProfileId": profile["id"]}
    return api.post("/v1/strategy/follower", body), profile
