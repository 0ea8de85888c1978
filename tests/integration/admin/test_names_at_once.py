from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from functions.admin_setting_strategy import service
from functions.admin_setting_strategy.schemas import NewRiskProfile, StrategyChange, StrategyItem
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.unique_name import NameKind, UniqueName
from shared.views.risk_profiles import RiskProfileItem
from tests.integration.admin.at_once import Fault, all_at_once
from tests.integration.embedded_aws import EmbeddedAws
from tests.integration.road.following import Following, store_strategy

AT_ONCE = 8
TAKEN: list[Fault] = [("name", "name already exist")]


def holder(kind: NameKind, name: str) -> str | None:
    found = UniqueName.find(UniqueName.claim_key(kind, name))
    return found.owner_id if found is not None else None


def letters() -> str:
    return "".join(chr(ord("A") + int(digit, 16)) for digit in uuid4().hex)


def test_one_name_many_times_at_once_is_one_profile(aws: EmbeddedAws) -> None:
    name = letters()

    def create(number: int) -> RiskProfileItem:
        spelt = name if number % 2 else name.lower()
        return service.create_risk_profile(NewRiskProfile.model_validate({"name": spelt, "percentage": 1}))

    answers = all_at_once(create, times=AT_ONCE)
    (made,) = [answer for answer in answers if isinstance(answer, dict)]
    assert answers.count(TAKEN) == AT_ONCE - 1
    assert holder(NameKind.RISK_PROFILE, name) == made["id"]
    assert RiskProfile.get(made["id"]).name.casefold() == name.casefold()


def renaming(strategies: list[Following], name: Callable[[int], str]) -> Callable[[int], StrategyItem]:
    def rename(number: int) -> StrategyItem:
        strategy = Strategy.get(strategies[number % len(strategies)].strategy.id)
        return service.update_strategy(strategy, StrategyChange.model_validate({"name": name(number)}))

    return rename


def test_strategies_renamed_to_one_name_at_once_get_it_once(aws: EmbeddedAws) -> None:
    name = f"WANTED {uuid4()}"
    strategies = [store_strategy(0) for _ in range(4)]
    answers = all_at_once(renaming(strategies, lambda _: name), times=4)
    (renamed,) = [answer for answer in answers if isinstance(answer, dict)]
    assert answers.count(TAKEN) == 3
    assert holder(NameKind.STRATEGY, name) == renamed["id"]
    assert sum(Strategy.get(one.strategy.id).name == name for one in strategies) == 1


def test_one_strategy_renamed_many_times_at_once_keeps_one_name_and_releases_the_others(aws: EmbeddedAws) -> None:
    followed = store_strategy(0)
    names = [f"NAME {number} {uuid4()}" for number in range(2)]
    all_at_once(renaming([followed], lambda number: names[number]), times=2)
    stored = Strategy.get(followed.strategy.id).name
    assert stored in names
    held = {name: holder(NameKind.STRATEGY, name) for name in names}
    assert held == {name: followed.strategy.id if name == stored else None for name in names}
