"""A stand-in for Stripe: products and prices over its HTTP API, as far as the product uses them. Charges nobody.

`server` speaks HTTP, `account` keeps what was made, `form` reads Stripe's way of writing parameters. Beside the API
it answers on `/stand-in/…`, where tests read what came in and make it fail, and where subscriptions are made, changed
and ended (`subscriptions`), each of which sends its signed event to the webhook (`webhooks`).
"""

from typing import Final

STANDARD_PRICE: Final = "price_1M1xdOEaYDRKzLl0mZCDLtut"
PRO_PRICE: Final = "price_1L4SsSJfOKOw6aMrXZO4ZA96"
"""The prices of the demo's plans, which are there from the start."""
API_KEY: Final = "sk_local_stand_in"
"""The one key that it takes."""
WEBHOOK_SECRET: Final = "whsec_local_stand_in"  # noqa: S105 - nobody else's
"""What its events are signed with."""
