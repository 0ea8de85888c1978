"""The border to Stripe, the only one: products, prices, and its errors as ours. Knows no plan and no user."""
