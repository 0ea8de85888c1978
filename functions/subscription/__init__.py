"""SubscriptionExpressJSv1: the public plans, and the plan of the user who asks."""
