"""AdminExchangeExpressJSv1: one exchange key, live and on record."""
