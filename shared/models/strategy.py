"""Table `strategies`: the strategies. Values that change with each alert are in `strategy_alerts`."""

from __future__ import annotations

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, UnicodeAttribute

from shared.models.attributes import DecimalAttribute, IntegerAttribute, TimeAttribute, decimal_list
from shared.models.base import LISTED, GlobalSecondaryIndex, KeysOnlyProjection, Table, TableName


class StrategiesByCreation(GlobalSecondaryIndex["Strategy"]):
    """Every strategy, in the order of creation."""

    class Meta:
        index_name = "by_created"
        projection = KeysOnlyProjection()

    listed = UnicodeAttribute(hash_key=True)
    created_key = UnicodeAttribute(range_key=True)


class Strategy(Table):
    """One automated strategy on one symbol of one exchange."""

    class Meta:
        table_name = TableName("strategies")

    id = UnicodeAttribute(hash_key=True)
    listed = UnicodeAttribute(default=LISTED)
    created_key = UnicodeAttribute()
    active = BooleanAttribute(default=True)
    active_since = TimeAttribute(null=True)
    """When an admin activated it again; None if it was active from the beginning."""
    name = UnicodeAttribute()
    description = UnicodeAttribute(null=True)
    exchange_id = UnicodeAttribute()
    symbol = UnicodeAttribute()
    """BASE/QUOTE, as documented."""
    report_api_key = UnicodeAttribute()
    report_secret_ciphertext = BinaryAttribute(legacy_encoding=False)
    """KMS ciphertext of the report key's secret; its encryption context is its kind and the strategy's id."""
    webhook_secret_hash = UnicodeAttribute(null=True)
    """SHA-256 of the webhook secret in hex; the secret itself is shown once and never stored."""

    # The strategy's own rules; each trigger gets a copy, so that what was in force is on record.
    breakeven_after = IntegerAttribute(null=True)
    """The target, from the nearest, after whose fill the stop moves to break-even; None means never."""
    take_profit_weights = decimal_list(null=True)
    """The percentages of the position for the nearest take-profit, the next one, and so on; None means equal parts."""
    max_chase = DecimalAttribute(null=True)
    """How far the market may have moved, as a share of the stop distance; None means the deployment's share."""

    expect_every = IntegerAttribute(null=True)
    """Minutes in which at least one alert is expected; None means that none is missed."""
    alert_missed_since = TimeAttribute(null=True)
    """From when on the alert was awaited that was last reported as missed."""
    created_at = TimeAttribute()
    updated_at = TimeAttribute()

    by_created = StrategiesByCreation()
