"""The examples are whole: all documented endpoints, each at its address and in its function, and none besides."""

from __future__ import annotations

from tests.contract.examples import Example, load_all
from tests.contract.routes import WEBHOOK, admin_routes

OURS = {
    ("PUT", "/v1/admin/setting/strategy/{STRATEGY_ID}/report"),
    ("GET", "/v1/admin/setting/strategy/{STRATEGY_ID}/rules"),
    ("PUT", "/v1/admin/setting/strategy/{STRATEGY_ID}/rules"),
    ("POST", "/v1/admin/setting/strategy/{STRATEGY_ID}/webhook"),
    ("POST", "/v1/admin/setting/strategy/{STRATEGY_ID}/webhook/check"),
    ("GET", "/v1/admin/strategy/{STRATEGY_ID}/performance"),
    ("GET", "/v1/admin/strategy/trigger/{TRIGGER_ID}/timeline"),
    ("GET", "/v1/admin/strategy/follower/{ID}/settings"),
    ("PUT", "/v1/admin/strategy/follower/{ID}/settings"),
    ("GET", "/v1/admin/exchange/key/{API_KEY_ID}/readiness"),
    ("POST", "/v1/admin/exchange/key/{API_KEY_ID}/inspect"),
    ("GET", "/v1/admin/account/user/notice/{USER_ID}/list"),
    ("GET", "/v1/admin/operation/overview"),
    ("GET", "/v1/admin/operation/alert/refused/list"),
    ("PUT", "/v1/admin/operation/halt/{SCOPE}"),
    ("DELETE", "/v1/admin/operation/halt/{SCOPE}"),
    ("PUT", "/v1/admin/operation/maintenance"),
    ("PUT", "/v1/admin/operation/lane/{LANE}"),
    ("GET", "/v1/admin/operation/alert/{TRIGGER_ID}"),
    ("GET", "/v1/admin/operation/dead-letter/list"),
    ("POST", "/v1/admin/operation/dead-letter/redrive"),
}
ONE_NAME_PER_LEVEL = {"{STRATEGY_FOLLOW_ID}": "{ID}", "{STRATEGY_ID}": "{ID}"}
"""Below this path a strategy's and a follower's id are one variable, because API Gateway takes one name per level."""


def address(example: Example) -> tuple[str, str]:
    path = example.path
    if path.startswith("/v1/admin/strategy/follower/"):
        for documented, declared in ONE_NAME_PER_LEVEL.items():
            path = path.replace(documented, declared)
    return example.method, path


def test_every_documented_endpoint_is_routed_to_its_function_and_nothing_else_is() -> None:
    documented = {address(example): example.function for example in load_all()}
    assert len(documented) == 36
    assert documented.pop(("POST", "/v1/webhook/strategy")) == WEBHOOK
    routed = {(route.method, route.path): route.function for route in admin_routes()}
    assert {address for address in routed if address not in documented} == OURS
    assert {address: function for address, function in routed.items() if address not in OURS} == documented
