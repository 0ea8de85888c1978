"""TradeNotifier: tells users what became of their trades."""
