"""The AWS session of this process: its clients sign with the credentials of the environment that the process found.

boto3's own default session would keep the first credentials for good, whatever `process_state.reset()` forgets.
"""

from __future__ import annotations

import boto3

from shared.process_state import process_cache


@process_cache
def aws_session() -> boto3.session.Session:
    """Return the session that every AWS client of the product is made from; not safe for threads."""
    return boto3.session.Session()
