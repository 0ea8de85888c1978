"""StrategyExpressJSv1: the strategies that a user may follow, and the risk profiles."""
