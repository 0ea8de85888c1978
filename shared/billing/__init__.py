"""The only client of Stripe: products, prices and signatures, with its errors as ours. Knows no plan and no user."""
