"""AdminSubscriptionExpressJSv1: the plans that users subscribe to."""
