"""The only client of Stripe, with its errors as ours, and the records that follow its subscriptions."""
