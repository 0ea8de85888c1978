"""ExchangeExpressJSv1: the exchange keys of the user who asks."""
