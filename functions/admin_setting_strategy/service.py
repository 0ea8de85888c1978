"""Creates, lists and changes strategies and risk profiles for an admin. Knows no HTTP."""

from __future__ import annotations

import hashlib
import json
import secrets as random_secrets
from uuid import uuid4

from functions.admin_setting_strategy.schemas import (
    NewRiskProfile,
    NewStrategy,
    ReportKeyChange,
    RiskProfileChange,
    RulesChange,
    RulesItem,
    StrategyChange,
    StrategyItem,
    WebhookItem,
    rules_item,
    strategy_item,
)
from shared import secrets
from shared.api.exchange_access import UNREACHABLE
from shared.api.names import change_named, create_named, name_taken
from shared.api.paging import Listing, listing, load_by_id, query_page
from shared.api.records import find_record
from shared.api.requests import Fault, ListQuery, fault
from shared.clock import to_iso, utc_now
from shared.config import settings
from shared.errors import (
    ExchangeAuthorizationFailed,
    ExchangeError,
    LockstepError,
    NotFound,
    RequestUnprocessable,
    ServiceUnavailable,
)
from shared.models.base import LISTED, conditional_write, created_key
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.unique_name import NameKind, UniqueName
from shared.observability import logger
from shared.views.risk_profiles import RiskProfileItem, risk_profile_item

_SECRET_BYTES = 32


class ReportKeyRefused(LockstepError):
    """The exchange refuses the key for a strategy's report."""


def list_strategies(query: ListQuery) -> Listing[StrategyItem]:
    """Return a page of the strategies, oldest first."""
    page = query_page(
        Strategy.by_created.query, LISTED, load=load_by_id(Strategy), limit=query.limit, after=query.start
    )
    return listing(map(strategy_item, page.records), token=query.token_of(page))


def create_strategy(body: NewStrategy) -> StrategyItem:
    """Store a new strategy if the exchange accepts its report key; raise ReportKeyRefused or the request's faults."""
    symbol_faults = _symbol_faults(body, exchange_id=body.exchange_id, symbol=body.symbol)
    if UniqueName.find(UniqueName.claim_key(NameKind.STRATEGY, body.name)) is not None:
        raise RequestUnprocessable([name_taken(body.name), *symbol_faults])
    if symbol_faults:
        raise RequestUnprocessable(symbol_faults)

    strategy_id, now = str(uuid4()), utc_now()
    strategy = Strategy(
        id=strategy_id,
        created_key=created_key(to_iso(now), strategy_id),
        active=body.active,
        name=body.name,
        description=body.description,
        exchange_id=body.exchange_id,
        symbol=body.symbol,
        report_api_key=body.report_exchange_api_key,
        report_secret_ciphertext=secrets.seal(
            body.report_exchange_api_secret_key, kind=secrets.SecretKind.REPORT_KEY, owner_id=strategy_id
        ),
        created_at=now,
        updated_at=now,
    )
    create_named(NameKind.STRATEGY, strategy)
    logger.info("strategy_created", strategy_id=strategy_id)
    return strategy_item(strategy)


def find_strategy(strategy_id: str) -> Strategy:
    """Return the strategy; raise NotFound."""
    return find_record(Strategy, strategy_id, noun="strategy")


def update_strategy(strategy: Strategy, body: StrategyChange) -> StrategyItem:
    """Change the fields in the request, and return the strategy; raise the fault of a name that is taken."""
    changes = body.changes()
    if changes.get("active") and not strategy.active:
        changes["active_since"] = utc_now()
    changed = change_named(NameKind.STRATEGY, strategy, changes, faults=[])
    logger.info("strategy_updated", strategy_id=strategy.id, fields=sorted(changes))
    return strategy_item(changed)


def replace_report_key(strategy: Strategy, body: ReportKeyChange) -> StrategyItem:
    """Store another report key if the exchange accepts it; raise ReportKeyRefused, and keep the present one."""
    symbol_faults = _symbol_faults(body, exchange_id=strategy.exchange_id, symbol=strategy.symbol)
    if symbol_faults:
        raise RequestUnprocessable(symbol_faults)
    sealed = secrets.seal(body.report_exchange_api_secret_key, kind=secrets.SecretKind.REPORT_KEY, owner_id=strategy.id)
    with conditional_write(otherwise=NotFound(f"strategy {strategy.id} does not exist")):
        strategy.update(
            actions=[
                Strategy.report_api_key.set(body.report_exchange_api_key),
                Strategy.report_secret_ciphertext.set(sealed),
                Strategy.updated_at.set(utc_now()),
            ],
            condition=Strategy.id.exists(),
        )
    logger.info("report_key_replaced", strategy_id=strategy.id)
    return strategy_item(strategy)


def change_rules(strategy: Strategy, body: RulesChange) -> RulesItem:
    """Change the rules in the request, for the alerts that are accepted from now on, and return all of them."""
    changes = body.changes()
    with conditional_write(otherwise=NotFound(f"strategy {strategy.id} does not exist")):
        strategy.update(
            actions=[
                *(
                    getattr(Strategy, name).remove() if value is None else getattr(Strategy, name).set(value)
                    for name, value in changes.items()
                ),
                Strategy.updated_at.set(utc_now()),
            ],
            condition=Strategy.id.exists(),
        )
    logger.info("strategy_rules_changed", strategy_id=strategy.id, fields=sorted(changes))
    return rules_item(strategy)


def create_risk_profile(body: NewRiskProfile) -> RiskProfileItem:
    """Store a new risk profile; raise the fault of a name that is taken."""
    profile_id, now = str(uuid4()), utc_now()
    profile = RiskProfile(
        id=profile_id,
        created_key=created_key(to_iso(now), profile_id),
        name=body.name,
        percentage=body.percentage,
        created_at=now,
        updated_at=now,
    )
    create_named(NameKind.RISK_PROFILE, profile)
    logger.info("risk_profile_created", risk_profile_id=profile_id)
    return risk_profile_item(profile)


def find_risk_profile(profile_id: str) -> RiskProfile:
    """Return the risk profile; raise NotFound."""
    return find_record(RiskProfile, profile_id, noun="risk profile")


def update_risk_profile(profile: RiskProfile, body: RiskProfileChange) -> RiskProfileItem:
    """Change the percentage of every entry from now on; existing executions keep theirs."""
    changed = change_named(NameKind.RISK_PROFILE, profile, body.changes(), faults=[])
    logger.info("risk_profile_updated", risk_profile_id=profile.id, percentage=body.percentage)
    return risk_profile_item(changed)


def renew_webhook(strategy_id: str) -> WebhookItem:
    """Give a strategy a new webhook secret, and store only its hash; raise NotFound."""
    secret = random_secrets.token_urlsafe(_SECRET_BYTES)
    with conditional_write(otherwise=NotFound(f"strategy {strategy_id} does not exist")):
        Strategy(strategy_id).update(
            actions=[
                Strategy.webhook_secret_hash.set(hashlib.sha256(secret.encode()).hexdigest()),
                Strategy.updated_at.set(utc_now()),
            ],
            condition=Strategy.id.exists(),
        )
    logger.info("webhook_secret_renewed", strategy_id=strategy_id)
    return {
        "secret": secret,
        "url": settings().public_webhook_url,
        "message": _alert_message(strategy_id, secret),
    }


def _symbol_faults(body: NewStrategy | ReportKeyChange, *, exchange_id: str, symbol: str) -> list[Fault]:
    """Verify the report key and the symbol at the exchange; return the symbol's fault, or raise ReportKeyRefused."""
    # The import loads the exchange's client, which no other route of this function needs.
    from shared.exchange import account_queries  # noqa: PLC0415

    try:
        account_queries.verify_key(
            exchange_id=exchange_id,
            api_key=body.report_exchange_api_key,
            secret=body.report_exchange_api_secret_key,
            symbol=symbol,
        )
    except ExchangeAuthorizationFailed as error:
        raise ReportKeyRefused("the exchange refuses the report key") from error
    except NotFound:
        return [fault("must be supported symbol", param="symbol", location="body", value=symbol)]
    except ExchangeError as error:
        raise ServiceUnavailable(UNREACHABLE) from error
    return []


def _alert_message(strategy_id: str, secret: str) -> str:
    """Return the text to paste into a TradingView alert: TradingView replaces what is in double braces.

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
