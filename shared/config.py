"""The settings of a deployment, read from the environment once. The only module that reads `os.environ`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from shared.process_state import process_cache
from shared.queues import Queue
from shared.trading.lane_choice import FIRST_LANE


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that template.yaml passes to functions; a function may lack those that it does not need."""

    table_prefix: str
    restored_tables: Mapping[str, str]
    """The names of tables that were restored from an earlier point in time, by their names without prefix."""
    queue_urls: Mapping[Queue, str]
    trade_events_dead_letters_url: str
    """Where the places of events end that could not be read from their streams."""
    secrets_key_id: str
    secrets_without_kind: bool
    """Whether secrets may be stored that were sealed before their kind was part of the encryption context."""
    maintenance_parameter: str
    user_pool_id: str
    """The users' pool, in which people sign up by themselves."""
    user_pool_client_id: str
    admin_pool_id: str
    """The admins' pool, whose accounts are made by an admin."""
    admin_pool_client_id: str
    cognito_url: str
    """Base of Cognito's API where AWS is emulated; empty means AWS's own address."""
    paging_key_id: str
    """The KMS key (HMAC) from which the key of the paging tokens is derived."""
    aws_region: str
    web_origin: str
    """The origin of the web page whose browsers may read the API's answers; empty means none."""
    edge_secret_parameter: str
    """The SSM parameter with the secrets that CloudFront sends; empty means that direct calls are allowed."""
    alert_senders: tuple[str, ...]
    """The networks (CIDR) that alerts may come from, where they come through CloudFront."""
    public_webhook_url: str
    exchange_url: str
    """Base of the exchange's API; empty means the exchange's own addresses."""
    stripe_url: str
    """Base of Stripe's API; empty means Stripe's own address."""
    stripe_key_parameter: str
    """The SSM parameter that holds the key of Stripe's API."""
    account_page_url: str
    """The page that Stripe's pages lead a user back to; empty means that nobody can subscribe."""
    telegram_url: str
    """Base of Telegram's Bot API."""
    telegram_bot_name: str
    """The bot's name, in links that open a chat with it; empty means that no chat can be linked."""
    telegram_token_parameter: str
    """The SSM parameter that holds the bot's token."""
    telegram_secret_parameter: str
    """The SSM parameter that holds the webhook secret, which Telegram sends with each update."""
    telegram_link_key_parameter: str
    """The SSM parameter that holds the key which signs links between a chat and a user."""
    sender_address: str
    """The sender of e-mails, an identity that SES has verified; empty means that none are sent."""
    unsubscribe_url: str
    """The page on which a reader ends a report's letters; empty means that letters have no link to it."""
    stripe_webhook_secret_parameter: str
    """The SSM parameter that holds the signing secrets of Stripe's events."""
    exports_bucket: str
    """The S3 bucket that tables are exported to; empty means that none are."""
    broker_prefix: str
    """The exchange's broker id, in front of every client order id (10 characters)."""
    max_effective_leverage: Decimal
    """Maximum notional / equity of an entry, independent of the account's leverage."""
    lane: str
    """The egress lane by whose address this function's requests leave."""
    source_address: str
    """The address of its host from which this function asks the exchange; empty means the system's choice."""
    lane_weight_per_minute: int
    """The request weight per minute of an egress address, unless the lane's record has another."""
    look_interval_s: int
    """Every open position is compared with the exchange within this time, however full its lane is."""
    near_maximum_pct: Decimal
    """The user and the admins are warned from this percentage of the plan's maximum balance on."""
    max_alert_age_s: int
    """An alert older than this opens nothing."""
    max_chase: Decimal
    """How far the market may have moved from the alert's price, as a share of the distance to the stop."""
    entry_allowance_pct: Decimal
    """How far an entry may fill beyond the worse of the alert's price and the best offer, in percent."""
    max_price_distance_pct: Decimal
    """The largest distance of the market from the alert's price for an entry, in percent of that price."""
    metrics_namespace: str
    """The CloudWatch namespace of our own metrics: the stack's name, so that two stacks never share an alarm."""
    log_level: str
    in_lambda: bool
    """True in a Lambda's container, where clients are best created at import, before the first message."""


@process_cache
def settings() -> Settings:
    """Return the settings of this process; `process_state.reset()` reads them again."""
    env = os.environ
    return Settings(
        table_prefix=env.get("TABLE_PREFIX", "lockstep-"),
        restored_tables=_restored_tables(env.get("RESTORED_TABLES", "")),
        queue_urls={queue: env.get(queue.url_variable, "") for queue in Queue},
        trade_events_dead_letters_url=env.get("TRADE_EVENTS_DEAD_LETTERS_URL", ""),
        secrets_key_id=env.get("SECRETS_KEY_ID", ""),
        secrets_without_kind=env.get("SECRETS_WITHOUT_KIND", "false") == "true",
        maintenance_parameter=env.get("MAINTENANCE_PARAMETER", "/lockstep/maintenance"),
        user_pool_id=env.get("USER_POOL_ID", ""),
        user_pool_client_id=env.get("USER_POOL_CLIENT_ID", ""),
        admin_pool_id=env.get("ADMIN_POOL_ID", ""),
        admin_pool_client_id=env.get("ADMIN_POOL_CLIENT_ID", ""),
        cognito_url=env.get("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER") or env.get("AWS_ENDPOINT_URL", ""),
        paging_key_id=env.get("PAGING_KEY_ID", ""),
        aws_region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION", "us-east-1"),
        web_origin=env.get("WEB_ORIGIN", ""),
        edge_secret_parameter=env.get("EDGE_SECRET_PARAMETER", ""),
        alert_senders=tuple(filter(None, env.get("ALERT_SENDERS", "").split(","))),
        public_webhook_url=env.get("PUBLIC_WEBHOOK_URL", ""),
        exchange_url=env.get("EXCHANGE_URL", ""),
        stripe_url=env.get("STRIPE_API_BASE", ""),
        stripe_key_parameter=env.get("STRIPE_KEY_PARAMETER", ""),
        account_page_url=env.get("ACCOUNT_PAGE_URL", ""),
        telegram_url=env.get("TELEGRAM_URL", "https://api.telegram.org"),
        telegram_bot_name=env.get("TELEGRAM_BOT_NAME", ""),
        telegram_token_parameter=env.get("TELEGRAM_TOKEN_PARAMETER", ""),
        telegram_secret_parameter=env.get("TELEGRAM_SECRET_PARAMETER", ""),
        telegram_link_key_parameter=env.get("TELEGRAM_LINK_KEY_PARAMETER", ""),
        sender_address=env.get("SENDER_ADDRESS", ""),
        unsubscribe_url=env.get("UNSUBSCRIBE_URL", ""),
        stripe_webhook_secret_parameter=env.get("STRIPE_WEBHOOK_SECRET_PARAMETER", ""),
        exports_bucket=env.get("EXPORTS_BUCKET", ""),
        broker_prefix=env.get("BROKER_PREFIX", "x-cvBPrNm9"),
        max_effective_leverage=Decimal(env.get("MAX_EFFECTIVE_LEVERAGE", "10")),
        lane=env.get("LANE", FIRST_LANE),
        source_address=env.get("SOURCE_ADDRESS", ""),
        lane_weight_per_minute=int(env.get("LANE_WEIGHT_PER_MINUTE", "2400")),
        look_interval_s=int(env.get("LOOK_INTERVAL_S", "600")),
        near_maximum_pct=Decimal(env.get("NEAR_MAXIMUM_PCT", "90")),
        max_alert_age_s=int(env.get("MAX_ALERT_AGE_S", "60")),
        max_chase=Decimal(env.get("MAX_CHASE", "0.3")),
        entry_allowance_pct=Decimal(env.get("ENTRY_ALLOWANCE_PCT", "0.05")),
        max_price_distance_pct=Decimal(env.get("MAX_PRICE_DISTANCE_PCT", "1")),
        metrics_namespace=env.get("METRICS_NAMESPACE", "lockstep"),
        log_level=env.get("LOG_LEVEL", "INFO"),
        in_lambda="AWS_LAMBDA_FUNCTION_NAME" in env,
    )


def _restored_tables(text: str) -> dict[str, str]:
    """Return the names in `users=lockstep-users-20261129T180000 orders=…`."""
    pairs = (pair.partition("=") for pair in text.split() if "=" in pair)
    return {noun: name for noun, _, name in pairs}
