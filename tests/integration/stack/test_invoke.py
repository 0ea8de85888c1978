"""`make invoke` without a stack: the sample alerts reach a strategy, and it says whose data it used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.stack.places import Places, Ports

ROOT = Path(__file__).parents[3]


def invoke(function: str, event: str, *, port: int) -> tuple[dict[str, Any], str]:
    """Return the handler's answer, and what was said beside it."""
    command = [sys.executable, "-m", "local.invoke", function, event]
    result = subprocess.run(
        command, cwd=ROOT, env={"PORT": str(port)}, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    # Log lines come before the answer, which is indented.
    answer: dict[str, Any] = json.loads(result.stdout[result.stdout.index("{\n") :])
    return answer, result.stderr


@pytest.mark.parametrize(
    ("event", "status"), [("alert", 200), ("alert_in_base64", 200), ("alert_as_text", 200), ("wrong_secret", 401)]
)
def test_a_sample_alert_reaches_the_sample_strategy(event: str, status: int) -> None:
    port = Ports.reserve_free().api
    answer, said = invoke("strategy_webhook", event, port=port)
    assert answer["statusCode"] == status, answer
    assert f"No stack is running on port {port}" in said


def test_a_killed_stacks_session_is_named() -> None:
    places = Places(Ports.reserve_free())
    key = places.aws_key
    session = {"api": places.api_url, "awsAccessKeyId": key.id, "awsSecretAccessKey": key.secret}
    places.session_file.parent.mkdir(exist_ok=True)
    places.session_file.write_text(json.dumps(session))
    try:
        answer, said = invoke("strategy_webhook", "alert", port=places.ports.api)
    finally:
        places.session_file.unlink()
    assert answer["statusCode"] == 200
    assert f"session-{places.ports.api}.json is a killed one's" in said


def test_a_wrong_port_is_said_in_one_line() -> None:
    command = [sys.executable, "-m", "local.invoke", "strategy_webhook", "alert"]
    result = subprocess.run(command, cwd=ROOT, env={"PORT": "6000"}, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "make invoke: PORT=6000 does not work: browsers refuse to open port 6000; choose another\n"
