"""AdminStrategyFollowerExpressJSv1: who follows a strategy, and what they hold."""
