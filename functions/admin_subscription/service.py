"""Creates, lists and changes the plans for an admin, with their prices at Stripe. Knows no HTTP; charges nobody."""

from __future__ import annotations

from uuid import uuid4

from pynamodb.transactions import TransactWrite

from functions.admin_subscription.schemas import NewSubscription, SubscriptionChange
from shared.api.names import change_named, create_named, name_taken
from shared.api.paging import Listing, listing, load_by_id, query_page
from shared.api.records import find_record
from shared.api.requests import Fault, ListQuery, fault
from shared.billing import prices
from shared.clock import to_iso, utc_now
from shared.errors import RecordChanged, RequestUnprocessable, ServiceUnavailable
from shared.models.base import LISTED, conditional_write, created_key
from shared.models.plan import Plan
from shared.models.unique_name import NameKind, UniqueName
from shared.observability import logger
from shared.views.plans import SubscriptionItem, plan_item

_DEFAULT_CLAIM = UniqueName.claim_key(NameKind.DEFAULT_PLAN)


def list_plans(query: ListQuery) -> Listing[SubscriptionItem]:
    """Return a page of the plans, newest first."""
    page = query_page(
        Plan.by_created.query, LISTED, load=load_by_id(Plan), limit=query.limit, after=query.start, newest_first=True
    )
    return listing(map(plan_item, page.records), token=query.token_of(page))


def create_plan(body: NewSubscription) -> SubscriptionItem:
    """Store a new plan, with a new price at Stripe unless it names one or is the default; raise the request's faults.

    The plan's id is stored with its name before the request to Stripe: a repeat after a failure continues with the same
    id, and Stripe returns the price that the first request created.
    """
    claim = UniqueName.claim_key(NameKind.PLAN, body.name)
    holder = UniqueName.find(claim)
    faults = _faults(body, holder)
    if faults:
        raise RequestUnprocessable(faults)
    plan_id = holder.owner_id if holder is not None else str(uuid4())
    price_id = body.stripe_price_id
    if price_id is None and body.monthly_price_usd is not None and not body.default:
        plan_id = _reserve(claim, plan_id)
        price_id = prices.create_monthly_price(
            plan_id=plan_id, name=body.name, monthly_price_usd=body.monthly_price_usd
        )
    now = utc_now()
    plan = Plan(
        id=plan_id,
        created_key=created_key(to_iso(now), plan_id),
        stripe_price_id=price_id,
        created_at=now,
        updated_at=now,
        **body.model_dump(exclude={"stripe_price_id"}),
    )

    def claim_default(transaction: TransactWrite) -> None:
        if body.default:
            UniqueName.take(transaction, _DEFAULT_CLAIM, owner_id=plan_id)

    try:
        create_named(NameKind.PLAN, plan, also=claim_default)
    except RecordChanged as error:
        # Another request was first: the name or the default that it took can be read now.
        faults = _taken(body, UniqueName.find(claim))
        if not faults:
            raise ServiceUnavailable("the plans are changing too fast, please repeat the request") from error
        raise RequestUnprocessable([*faults]) from error
    logger.info("subscription_created", subscription_id=plan_id, stripe_price_id=price_id)
    return plan_item(plan)


def find_plan(plan_id: str) -> Plan:
    """Return the plan; raise NotFound."""
    return find_record(Plan, plan_id, noun="subscription")


def update_plan(plan: Plan, body: SubscriptionChange) -> SubscriptionItem:
    """Change the fields in the request, and return the plan; raise the request's faults."""
    changes = body.changes()
    faults: list[Fault] = []
    price_id = changes.get("stripe_price_id", plan.stripe_price_id)
    # A price that is sent back unchanged needs no look-up.
    if price_id != plan.stripe_price_id and (price_id is None or not prices.price_exists(price_id)):
        faults.append(_unknown_price(price_id))
    changed = change_named(NameKind.PLAN, plan, changes, faults=faults)
    logger.info("subscription_updated", subscription_id=plan.id, fields=sorted(changes))
    return plan_item(changed)


def _faults(body: NewSubscription, holder: UniqueName | None) -> list[Fault]:
    """Return every fault of a new plan, in the documented order."""
    faults = _taken(body, holder)
    if body.stripe_price_id is not None and not prices.price_exists(body.stripe_price_id):
        place = 1 if faults and faults[0]["param"] == "name" else 0
        faults.insert(place, _unknown_price(body.stripe_price_id))
    return faults


def _taken(body: NewSubscription, holder: UniqueName | None) -> list[Fault]:
    """Return the faults of a name or default that another plan has. A name whose plan was never stored is free."""
    faults: list[Fault] = []
    if holder is not None and Plan.find(holder.owner_id) is not None:
        faults.append(name_taken(body.name))
    if body.default and UniqueName.find(_DEFAULT_CLAIM) is not None:
        faults.append(fault("default already exist", param="default", location="body", value=True))
    return faults


def _reserve(claim: str, plan_id: str) -> str:
    """Store the plan's id with its name, and return the id that is stored: a concurrent request may be first."""
    with conditional_write() as write:
        UniqueName(claim, owner_id=plan_id).save(
            condition=UniqueName.claim.does_not_exist() | (UniqueName.owner_id == plan_id)
        )
    stored = None if write.applied else UniqueName.find(claim)
    return stored.owner_id if stored is not None else plan_id


def _unknown_price(price_id: str | None) -> Fault:
    return {"value": price_id} | fault("price id does not exist", param="stripePriceId", location="body")
