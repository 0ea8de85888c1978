"""Starts MiniStack, the embedded AWS, in an environment of its own. Deploys nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from local.stack import private
from local.stack.places import LOCAL, REGION, NotReady, Places, clean_environment, python_version
from local.stack.processes import Process

_START_TIMEOUT_S = 30


def bare_python() -> Path:
    """Return a Python without packages, for MiniStack and the functions that it runs."""
    home = LOCAL / f"bare-python-{python_version()}"
    python = home / "bin" / "python"
    if not python.exists():
        result = subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=False)  # noqa: S603
        if result.returncode:
            raise NotReady("python has no working venv module: install it (Debian: apt install python3-venv)")
    return python


def start(places: Places) -> Process:
    """Start it; `wait` returns when it answers."""
    shutil.rmtree(places.temporary, ignore_errors=True)
    private.make_directory(places.temporary)
    # Functions inherit all of this, so it may have nothing of the user's environment.
    environment = clean_environment(
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(places.ports.aws),
        MINISTACK_HOST="127.0.0.1",
        MINISTACK_REGION=REGION,
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        AUTH="true",
        TMPDIR=str(places.temporary),
        AWS_ACCESS_KEY_ID=places.aws_key.id,
        AWS_SECRET_ACCESS_KEY=places.aws_key.secret,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        RIGHTS_RECORD=str(places.rights_record),
        **_persistence(places),
    )
    return Process(
        "MiniStack",
        [str(bare_python()), "-m", "local.stack.launch_ministack", sysconfig.get_path("purelib")],
        environment=environment,
        log=places.logs / "aws.log",
    )


def wait(process: Process, places: Places) -> None:
    """Return when it answers."""
    process.wait_until_it_answers(f"{places.aws_url}/_ministack/health", timeout_s=_START_TIMEOUT_S)


def signing_keys(places: Places) -> Path:
    """Return the directory of the embedded user pools' signing keys: `<pool>-id.pem`, `<pool>-access.pem`."""
    return Path(_persistence(places)["STATE_DIR"]) / "cognito-pool-keys"


def _persistence(places: Places) -> dict[str, str]:
    state = places.state
    if state is None:
        # The default directory in /tmp is shared by every MiniStack.
        return {"STATE_DIR": str(places.temporary / "state")}
    return {
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state / "aws"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
    }
