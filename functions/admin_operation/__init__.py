"""AdminOperationExpressJSv1: halts, maintenance and lanes, for operators. Trades nothing."""
