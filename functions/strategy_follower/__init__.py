"""StrategyFollowerExpressJSv1: what the user who asks follows."""
