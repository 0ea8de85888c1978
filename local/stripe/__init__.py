"""A stand-in for Stripe: the part of its API and pages that the product uses. Charges nobody.

`server` is the HTTP server, `api` knows the requests, `form` reads Stripe's form encoding. `account` stores products
and prices, `customers`, `subscriptions`, `checkout` and `portal` the rest; `pages` shows Checkout and the portal.
Beside the API it answers on `/stand-in/…`: tests read the received requests and make the next ones fail, and create,
change and cancel subscriptions, each of which sends a signed event to the webhook (`webhooks`).
"""

from typing import Final

STANDARD_PRICE: Final = "price_1M1xdOEaYDRKzLl0mZCDLtut"
PRO_PRICE: Final = "price_1L4SsSJfOKOw6aMrXZO4ZA96"
"""The prices of the demo's plans, which exist from the start."""
API_KEY: Final = "sk_local_stand_in"
"""The only key that it accepts."""
WEBHOOK_SECRET: Final = "whsec_local_stand_in"  # noqa: S105 - of this stand-in only
"""Signs its events."""
