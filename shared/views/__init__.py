"""What the admin API and the users' API both show: pages of records and accounts as documented. Writes nothing."""
