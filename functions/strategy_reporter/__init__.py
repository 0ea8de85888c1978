"""Reports each strategy daily: what it earned on its leader's account, and for its followers. Trades nothing."""
