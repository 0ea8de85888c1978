"""AdminStrategyFollowerExpressJSv1: the followers of a strategy, and their positions."""
