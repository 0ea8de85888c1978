from __future__ import annotations

from uuid import uuid4

import pytest

from functions.admin_subscription import service
from functions.admin_subscription.schemas import NewSubscription
from shared.billing import prices
from shared.models.plan import Plan
from shared.models.unique_name import NameKind, UniqueName
from shared.views.plans import SubscriptionItem
from tests.integration.admin.at_once import Fault, all_at_once
from tests.integration.embedded_aws import EmbeddedAws

AT_ONCE = 8


def create(name: str, *, default: bool = False) -> SubscriptionItem:
    fields = {"name": name, "monthlyPriceUSD": 40, "maxBalanceUSD": 5000, "maxApiKey": 10, "default": default}
    return service.create_plan(NewSubscription.model_validate(fields, context={"raw": fields}))


def test_of_many_defaults_at_once_one_is_made(aws: EmbeddedAws) -> None:
    claim = UniqueName.claim_key(NameKind.DEFAULT_PLAN)
    reservation = UniqueName.find(claim)
    if reservation is not None:
        reservation.delete()
    names = [f"DEFAULT {uuid4()}" for _ in range(AT_ONCE)]
    answers = all_at_once(lambda number: create(names[number], default=True), times=AT_ONCE)
    (made,) = [answer for answer in answers if isinstance(answer, dict)]
    refused: list[Fault] = [("default", "default already exist")]
    assert answers.count(refused) == AT_ONCE - 1
    assert UniqueName.get(claim).owner_id == made["id"]
    # Who was refused has let its name go.
    held = [UniqueName.find(UniqueName.claim_key(NameKind.PLAN, name)) for name in names]
    assert [one.owner_id for one in held if one is not None] == [made["id"]]


def test_of_many_plans_of_one_name_at_once_one_is_made_with_one_price(
    aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: set[str] = set()

    def create_monthly_price(*, plan_id: str, **_: object) -> str:
        requested.add(plan_id)
        return f"price_of_{plan_id}"

    monkeypatch.setattr(prices, "create_monthly_price", create_monthly_price)
    name = f"GOLD {uuid4()}"
    answers = all_at_once(lambda _: create(name), times=AT_ONCE)
    (made,) = [answer for answer in answers if isinstance(answer, dict)]
    refused: list[Fault] = [("name", "name already exist")]
    assert answers.count(refused) == AT_ONCE - 1
    assert requested == {made["id"]}
    assert Plan.get(made["id"]).stripe_price_id == f"price_of_{made['id']}"
