"""UserExpressJSv1: the account of the user who asks."""
