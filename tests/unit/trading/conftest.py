"""Makes every property test draw the same examples in each run, so that a failure can be repeated."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, max_examples=200)
settings.load_profile("repeatable")
