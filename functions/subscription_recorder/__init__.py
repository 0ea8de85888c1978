"""Lets each user's plan follow their subscriptions at Stripe, in the order of Stripe's own times."""
