"""AdminStrategyExpressJSv1: the triggers of a strategy."""
