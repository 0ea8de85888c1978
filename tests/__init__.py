"""The tests. What the developer's shell has set for AWS and for the logs goes before anything is imported."""

import os

_FOREIGN = ("AWS_", "POWERTOOLS_", "LOG_LEVEL", "TABLE_PREFIX")

for _name in [name for name in os.environ if name.startswith(_FOREIGN)]:
    del os.environ[_name]
