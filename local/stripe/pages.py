"""The pages that a customer sees: Checkout and the billing portal, as plain forms. Changes nothing itself."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from local.stripe.refusals import Resource

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 16px system-ui; max-width: 34rem; margin: 3rem auto; padding: 0 1rem }}
form {{ margin: 1rem 0 }} button, select {{ font: inherit; padding: .4rem .8rem }}</style></head>
<body><h1>{title}</h1>{content}<p><small>A stand-in for Stripe: nobody is charged.</small></p></body></html>
"""


def checkout_page(session: Resource, price: Resource, *, product_name: str, notice: str = "") -> str:
    """Return the page of a session: its price with a button to pay, or that it is over."""
    if session["status"] != "open":
        said = "This was paid." if session["status"] == "complete" else "This session has expired."
        return _page("Checkout", f"<p>{said}</p>")
    back = f'<p><a href="{escape(session["cancel_url"])}">Back</a></p>' if session["cancel_url"] else ""
    return _page(
        "Checkout",
        f"<p>{escape(notice)}</p><p>{escape(product_name)}: {_money(price)} a month</p>"
        '<form method="post"><button name="card" value="good">Pay and subscribe</button></form>'
        '<form method="post"><button name="card" value="declined">Pay with a card that is declined</button></form>'
        f"{back}",
    )


def portal_page(session: Resource, subscriptions: Iterable[Resource], prices: Iterable[tuple[Resource, str]]) -> str:
    """Return the page of a portal session: each subscription with what may be done about it."""
    options = "".join(
        f'<option value="{escape(price["id"])}">{escape(name)}: {_money(price)}</option>' for price, name in prices
    )
    content = "".join(_subscription(one, options) for one in subscriptions) or "<p>There is no subscription.</p>"
    back = f'<p><a href="{escape(session["return_url"])}">Back</a></p>' if session["return_url"] else ""
    return _page("Billing", content + back)


def _subscription(subscription: Resource, options: str) -> str:
    price = subscription["items"]["data"][0]["price"]
    ends = subscription["cancel_at_period_end"]
    hidden = f'<input type="hidden" name="subscription" value="{escape(subscription["id"])}">'
    other = ("renew", "Go on with it") if ends else ("cancel_at_period_end", "Cancel at the end of the period")
    return (
        f"<h2>{escape(subscription['id'])}</h2>"
        f"<p>{escape(subscription['status'])}, {_money(price)} a month{', ends with the period' if ends else ''}</p>"
        f'<form method="post">{hidden}<select name="price">{options}</select> '
        '<button name="action" value="change">Change the plan</button></form>'
        f'<form method="post">{hidden}<button name="action" value="{other[0]}">{other[1]}</button> '
        '<button name="action" value="cancel">Cancel now</button></form>'
    )


def _money(price: Resource) -> str:
    return escape(f"{price['unit_amount'] / 100:.2f} {price['currency'].upper()}")


def _page(title: str, content: str) -> str:
    return _PAGE.format(title=escape(title), content=content)
