"""AdminUserExpressJSv1: the users' accounts, as an admin sees them."""
