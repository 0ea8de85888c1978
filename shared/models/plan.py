"""Table `subscriptions`: the plans that users subscribe to (documented as SubscriptionType)."""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from shared.models.attributes import DecimalAttribute, IntegerAttribute, TimeAttribute
from shared.models.base import LISTED, GlobalSecondaryIndex, KeysOnlyProjection, Table, TableName


class PlansByCreation(GlobalSecondaryIndex["Plan"]):
    """Every plan, in the order of creation."""

    class Meta:
        index_name = "by_created"
        projection = KeysOnlyProjection()

    listed = UnicodeAttribute(hash_key=True)
    created_key = UnicodeAttribute(range_key=True)


class Plan(Table):
    """One plan: its price at Stripe and its limits."""

    class Meta:
        table_name = TableName("subscriptions")

    id = UnicodeAttribute(hash_key=True)
    listed = UnicodeAttribute(default=LISTED)
    created_key = UnicodeAttribute()
    name = UnicodeAttribute()
    stripe_price_id = UnicodeAttribute(null=True)
    monthly_price_usd = DecimalAttribute(null=True)
    max_balance_usd = IntegerAttribute()
    max_api_key = IntegerAttribute()
    private = BooleanAttribute(default=True)
    default = BooleanAttribute(default=False)
    strategy_automated = BooleanAttribute(default=True)
    """Whether the plan lets its users follow automated strategies."""
    created_at = TimeAttribute()
    updated_at = TimeAttribute()

    by_created = PlansByCreation()

    @classmethod
    def list_all(cls) -> list[Plan]:
        """Return every plan. A business has a handful: they are read in a request or two."""
        return list(cls.find_many([found.id for found in cls.by_created.query(LISTED)], consistent=True).values())
