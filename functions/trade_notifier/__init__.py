"""TradeNotifier: notifies users of the entries, closes and refusals of their trades, and of refused exchange keys."""
