"""Keeps strategies and risk profiles for an admin. Knows no HTTP."""

from __future__ import annotations

import hashlib
import json
import secrets as random_secrets
from uuid import uuid4

from pynamodb.exceptions import UpdateError
from pynamodb.transactions import TransactWrite

from functions.admin_setting_strategy.schemas import (
    NewStrategy,
    RiskProfileItem,
    StrategyItem,
    WebhookItem,
    risk_profile_item,
    strategy_item,
)
from shared import secrets
from shared.api.exchange_access import UNREACHABLE
from shared.api.paging import Listing, by_id, listing, read_page
from shared.api.requests import Fault, ListQuery, fault
from shared.clock import to_iso, utc_now
from shared.config import settings
from shared.errors import (
    ExchangeAuthorizationFailed,
    ExchangeError,
    LockstepError,
    NotFound,
    RecordChanged,
    RequestUnprocessable,
    ServiceUnavailable,
)
from shared.models.base import LISTED, condition_failed, created_key, transact
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.unique_name import NameKind, UniqueName
from shared.observability import logger

_SECRET_BYTES = 32


class ReportKeyRefused(LockstepError):
    """The exchange refuses the key that a strategy's report would be made with."""


def list_strategies(query: ListQuery) -> Listing[StrategyItem]:
    """Return a page of the strategies, oldest first."""
    found = Strategy.by_created.query(LISTED, page_size=query.limit + 1, last_evaluated_key=query.start)
    page = read_page(found, by_id(Strategy), limit=query.limit)
    return listing(map(strategy_item, page.records), token=query.token_of(page))


def list_risk_profiles(query: ListQuery) -> Listing[RiskProfileItem]:
    """Return a page of the risk profiles, oldest first."""
    found = RiskProfile.by_created.query(LISTED, page_size=query.limit + 1, last_evaluated_key=query.start)
    page = read_page(found, by_id(RiskProfile), limit=query.limit)
    return listing(map(risk_profile_item, page.records), token=query.token_of(page))


def create_strategy(wanted: NewStrategy) -> StrategyItem:
    """Keep a new strategy once the exchange takes its report key; raise ReportKeyRefused or the request's faults."""
    symbol_faults = _symbol_faults(wanted)
    claim = UniqueName.claim_key(NameKind.STRATEGY, wanted.name)
    if UniqueName.find(claim) is not None:
        raise RequestUnprocessable([_name_taken(wanted.name), *symbol_faults])
    if symbol_faults:
        raise RequestUnprocessable(symbol_faults)

    strategy_id, now = str(uuid4()), utc_now()
    strategy = Strategy(
        id=strategy_id,
        created_key=created_key(to_iso(now), strategy_id),
        active=wanted.active,
        name=wanted.name,
        description=wanted.description,
        exchange_id=wanted.exchange_id,
        symbol=wanted.symbol,
        report_api_key=wanted.report_exchange_api_key,
        report_secret_ciphertext=secrets.seal(wanted.report_exchange_api_secret_key, owner_id=strategy_id),
        created_at=now,
        updated_at=now,
    )

    def write(transaction: TransactWrite) -> None:
        transaction.save(UniqueName(claim, owner_id=strategy_id), condition=UniqueName.claim.does_not_exist())
        transaction.save(strategy, condition=Strategy.id.does_not_exist())

    try:
        transact(write)
    except RecordChanged as error:
        raise RequestUnprocessable([_name_taken(wanted.name)]) from error
    logger.info("strategy_created", strategy_id=strategy_id)
    return strategy_item(strategy)


def renew_webhook(strategy_id: str) -> WebhookItem:
    """Give a strategy a new webhook secret, of which only the hash is kept; raise NotFound."""
    secret = random_secrets.token_urlsafe(_SECRET_BYTES)
    try:
        Strategy(strategy_id).update(
            actions=[
                Strategy.webhook_secret_hash.set(hashlib.sha256(secret.encode()).hexdigest()),
                Strategy.updated_at.set(utc_now()),
            ],
            condition=Strategy.id.exists(),
        )
    except UpdateError as error:
        if condition_failed(error):
            raise NotFound(f"strategy {strategy_id} does not exist") from error
        raise
    logger.info("webhook_secret_renewed", strategy_id=strategy_id)
    return {
        "secret": secret,
        "url": settings().public_webhook_url,
        "message": _alert_message(strategy_id, secret),
    }


def _symbol_faults(wanted: NewStrategy) -> list[Fault]:
    """Ask the exchange about the report key and the symbol; raise ReportKeyRefused, return what the symbol lacks."""
    # Loads the exchange's client, which no other route of this function needs.
    from shared.exchange import reading  # noqa: PLC0415

    try:
        reading.verify_key(
            exchange_id=wanted.exchange_id,
            api_key=wanted.report_exchange_api_key,
            secret=wanted.report_exchange_api_secret_key,
            symbol=wanted.symbol,
        )
    except ExchangeAuthorizationFailed as error:
        raise ReportKeyRefused("the exchange refuses the report key") from error
    except NotFound:
        return [fault("must be supported symbol", param="symbol", location="body", value=wanted.symbol)]
    except ExchangeError as error:
        raise ServiceUnavailable(UNREACHABLE) from error
    return []


def _name_taken(name: str) -> Fault:
    return fault("name already exist", param="name", location="body", value=name)


def _alert_message(strategy_id: str, secret: str) -> str:
    """Return what to paste into a TradingView alert: TradingView fills in what stands in double braces.

    The stop and the take-profits are the script's first four plots.
    """
    fields = {
        "strategy": strategy_id,
        "secret": secret,
        "orderPrice": "{{close}}",
        "type": "{{strategy.order.action}}",
        "stop": "{{plot_0}}",
        "stopType": "market",
        "takeProfit1": "{{plot_1}}",
        "takeProfit2": "{{plot_2}}",
        "takeProfit3": "{{plot_3}}",
        "winRate": "NaN",
        "firedAt": "{{timenow}}",
    }
    return json.dumps(fields, indent=2)
