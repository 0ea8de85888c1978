"""Says what an exchange key must have to be connected, and how much equity each strategy's usual stop needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from functions.exchange.schemas import ProfileEquity, Requirement, StrategyRequirement
from shared.api.exchange_access import UNREACHABLE
from shared.api.paging import load_by_id, query_page
from shared.api.requests import ListQuery
from shared.concurrency import run_concurrently
from shared.config import settings
from shared.errors import ExchangeError, ServiceUnavailable
from shared.exchange import account_queries
from shared.exchange.account_queries import SymbolMarket
from shared.models.base import LISTED
from shared.models.egress_lane import EgressLane
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.trigger import Trigger
from shared.observability import logger
from shared.trading.arithmetic import exact
from shared.trading.connection import KeyRefusal, RefusalCode
from shared.trading.entry_settings import BelowMinimum, EntrySettings
from shared.trading.execution import DenialReason
from shared.trading.risk import BASE_TAKER_RATE
from shared.trading.sizing import SizingRules
from shared.trading.usual_stop import RECENT, UsualStop, least_equity, usual_stop
from shared.views.key_findings import Finding

_REQUIREMENTS: Final[Mapping[RefusalCode, str]] = MappingProxyType(
    {
        DenialReason.FUTURES_DISABLED: "The key may trade futures.",
        DenialReason.WITHDRAWALS_ENABLED: "The key may not withdraw.",
        KeyRefusal.IP_UNRESTRICTED: "The key is restricted to the addresses below.",
        DenialReason.HEDGE_MODE: "The futures account is in one-way mode.",
        DenialReason.MULTI_ASSETS_MARGIN: "The futures account is in single-asset mode.",
        DenialReason.PORTFOLIO_MARGIN: "The account does not use portfolio margin.",
        DenialReason.ACCOUNT_IN_USE: "No other key of the same account trades automatically.",
    }
)


def show_requirement(exchange_id: str, query: ListQuery) -> Requirement:
    """Return what a key needs, with a page of the active strategies, oldest first.

    Raise ServiceUnavailable if the exchange cannot be asked for prices now.
    """
    page = query_page(
        Strategy.by_created.query,
        LISTED,
        load=load_by_id(Strategy, include=lambda one: one.active and one.exchange_id == exchange_id),
        limit=query.limit,
        after=query.start,
    )
    stops = dict(zip((one.id for one in page.records), run_concurrently(_usual_stop, page.records), strict=True))
    markets = _markets(sorted({one.symbol for one in page.records if stops[one.id] is not None}))
    profiles = _profiles()
    answer: Requirement = {
        "exchangeId": exchange_id,
        "requirements": [Finding(code=code.value, msg=text) for code, text in _REQUIREMENTS.items()],
        "addresses": list(EgressLane.addresses().values()),
        "items": [_item(one, stops[one.id], markets.get(one.symbol), profiles) for one in page.records],
    }
    token = query.token_of(page)
    if token is not None:
        answer["nextToken"] = token
    return answer


def _usual_stop(strategy: Strategy) -> UsualStop | None:
    return usual_stop(Trigger.latest_signals(strategy.id, RECENT))


def _markets(symbols: Sequence[str]) -> dict[str, SymbolMarket]:
    try:
        return account_queries.symbol_markets(symbols)
    except ExchangeError as error:
        logger.warning("exchange_not_reached", error=type(error).__name__, code=error.code)
        raise ServiceUnavailable(UNREACHABLE) from error


def _profiles() -> list[RiskProfile]:
    """Return every risk profile. A business has a handful: they are read in a request or two."""
    return list(RiskProfile.find_many([found.id for found in RiskProfile.by_created.query(LISTED)]).values())


def _item(
    strategy: Strategy, stop: UsualStop | None, market: SymbolMarket | None, profiles: Sequence[RiskProfile]
) -> StrategyRequirement:
    with exact():
        distance = None if stop is None else round(stop.distance * 100, 4)
    return {
        "id": strategy.id,
        "name": strategy.name,
        "symbol": strategy.symbol,
        "stopPercentage": distance,
        "StrategyRiskProfiles": [_profile(profile, stop, market) for profile in profiles],
    }


def _profile(profile: RiskProfile, stop: UsualStop | None, market: SymbolMarket | None) -> ProfileEquity:
    def least(below_minimum: BelowMinimum) -> Decimal | None:
        if stop is None or market is None:
            return None
        rules = SizingRules(
            risk_pct=profile.percentage,
            taker_rate=BASE_TAKER_RATE,
            allowance_pct=settings().entry_allowance_pct,
            max_effective_leverage=settings().max_effective_leverage,
            chosen=EntrySettings(below_minimum=below_minimum),
        )
        return least_equity(stop, price=market.price, filters=market.filters, rules=rules)

    return {
        "id": profile.id,
        "name": profile.name,
        "percentage": profile.percentage,
        "leastEquity": least(BelowMinimum.SKIP),
        "leastEquityAtMinimum": least(BelowMinimum.MINIMUM),
    }
