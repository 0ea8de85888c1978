"""The tests. What the developer's shell has set for the logs is removed here, because it is read at import."""

import os

for _name in [name for name in os.environ if name.startswith(("POWERTOOLS_", "LOG_LEVEL"))]:
    del os.environ[_name]
