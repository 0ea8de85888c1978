"""Signs an admin out everywhere: `make admin-out STAGE=prod EMAIL=ada@example.com`.

Cognito's own sign-out leaves id tokens valid until they expire, and keeps no time of it. So the time is stored with the
account, where the admin API finds it within a minute (shared/api/admin_standing.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from local.deployment.admin_pool import AdminPool, open_admin_pool
from local.deployment.command import exit_status_of
from shared.user_pool import SIGNED_OUT_AT


def sign_out(pool: AdminPool, email: str) -> None:
    """End every session of an admin; raise botocore's errors. May be repeated."""
    answer = pool.cognito.admin_user_global_sign_out(UserPoolId=pool.id, Username=email)
    # Cognito's clock, which also wrote the times of sign-in that this one is compared with.
    signed_out_at = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    pool.cognito.admin_update_user_attributes(
        UserPoolId=pool.id,
        Username=email,
        UserAttributes=[{"Name": SIGNED_OUT_AT, "Value": str(int(signed_out_at.timestamp()))}],
    )


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Sign the admin out who is named and return the exit status."""
    email = environment.get("EMAIL", "")
    if not email:
        print("name the admin: make admin-out STAGE=prod EMAIL=ada@example.com", file=sys.stderr)
        return 2

    def sign_admin_out() -> int:
        sign_out(open_admin_pool(arguments), email)
        print(f"{email} is signed out: tokens from before are refused within a minute")
        return 0

    return exit_status_of(sign_admin_out, advice="; not signed out, run this again")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
