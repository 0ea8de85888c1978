"""Makes every property test draw the same examples each time: a red build can be run again and stays red."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, max_examples=200)
settings.load_profile("repeatable")
