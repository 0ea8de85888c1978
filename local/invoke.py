"""`make invoke`: calls one handler in this process with a sample event, and prints its answer.

Uses the data of `make run` while that is running, else an empty AWS in this process; never a real one.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import EndpointConnectionError

from local.stack.deploy import find, put_secrets, secrets_environment
from local.stack.places import DEFAULT_PORT, REGION, ROOT, NotReady, Places, Ports
from local.stripe.webhooks import sign
from shared import process_state
from shared.queues import Queue

_SAMPLE_STRATEGY, _SAMPLE_SECRET = "61b79e6d-7e22-4f91-b508-ef5be6a21419", "secret"
"""What the sample alerts name and give."""


@dataclass(frozen=True, slots=True)
class Context:
    """The context object that Lambda passes to a handler."""

    function_name: str
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:local"
    aws_request_id: str = "00000000-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """Return the time that a new invocation has left."""
        return 29_000


def main() -> int:
    """Call the handler named by the first argument with the event named by the second."""
    function, name = [*sys.argv[1:], "", ""][:2]
    path = ROOT / "events" / function / f"{name}.json"
    if not function or not path.is_file():
        known = sorted(f"{one.parent.name} {one.stem}" for one in (ROOT / "events").glob("*/*.json"))
        print("make invoke f=<function> e=<event>, with one of:\n  " + "\n  ".join(known), file=sys.stderr)
        return 1
    event = json.loads(path.read_text(encoding="utf-8"))
    _sign(event)
    with _aws() as session:
        _name_strategy(event, session)
        _accept_token(event, pool="ADMIN_POOL" if function.startswith("admin_") else "USER_POOL")
        handler = importlib.import_module(f"functions.{function}.app").lambda_handler
        answer = handler(event, Context(function))
        process_state.reset()  # what goes on beside the answer ends, and writes its log, before the answer is printed
    print(json.dumps(answer, indent=2, default=str))
    return 0


@contextmanager
def _aws() -> Iterator[dict[str, str] | None]:
    """Use the AWS of the running stack and yield its session, or an empty one in this process, and yield None."""
    try:
        places = Places(Ports(int(os.environ.get("PORT") or DEFAULT_PORT)))
    except (NotReady, ValueError) as error:
        raise SystemExit(f"make invoke: {error}") from error
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    missing = f"No stack is running on port {places.ports.api} (make run)"
    if places.session_file.exists():
        session: dict[str, str] = json.loads(places.session_file.read_text(encoding="utf-8"))
        running = Places.of(session)
        try:
            deployed = find(running)
        except EndpointConnectionError:
            missing += f"; {places.session_file.relative_to(ROOT)} is a killed one's"
        else:
            if deployed is not None:
                os.environ.update(deployed.environment(running))
                yield session
                return
            missing = f"The stack on port {places.ports.api} is not deployed yet"
    print(f"{missing}, so every table is empty, but for the strategy that a sample alert names.", file=sys.stderr)
    with _empty_aws():
        yield None


@contextmanager
def _empty_aws() -> Iterator[None]:
    import boto3  # noqa: PLC0415 - these are slow to import and needed here only
    from moto import mock_aws  # noqa: PLC0415

    os.environ["AWS_DEFAULT_REGION"] = REGION
    with mock_aws():
        sqs, kms = boto3.client("sqs"), boto3.client("kms")
        for queue in Queue:
            created = sqs.create_queue(QueueName=queue.value, Attributes={"FifoQueue": "true"} if queue.is_fifo else {})
            os.environ[queue.url_variable] = created["QueueUrl"]
        os.environ["SECRETS_KEY_ID"] = kms.create_key()["KeyMetadata"]["KeyId"]
        paging = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        os.environ["PAGING_KEY_ID"] = paging["KeyMetadata"]["KeyId"]
        ssm = boto3.client("ssm")
        ssm.put_parameter(Name="/lockstep/maintenance", Type="String", Value="off")
        put_secrets(ssm)
        os.environ.update(secrets_environment())
        _create_tables()
        yield


def _create_tables() -> None:
    import shared.models  # noqa: PLC0415 - reads the settings
    from shared.models.base import Table  # noqa: PLC0415

    for module in pkgutil.iter_modules(shared.models.__path__):
        importlib.import_module(f"shared.models.{module.name}")
    for model in Table.__subclasses__():
        model.create_table(billing_mode="PAY_PER_REQUEST")


def _name_strategy(event: dict[str, Any], session: dict[str, str] | None) -> None:
    """Let the sample alerts reach a strategy: the running stack's, or one that is made in the empty tables."""
    encoded = bool(event.get("isBase64Encoded"))
    text = event.get("body") or ""
    try:
        alert = json.loads(base64.b64decode(text) if encoded else text)
    except ValueError:
        return
    if not isinstance(alert, dict) or alert.get("strategy") != _SAMPLE_STRATEGY:
        return
    if session is None:
        _create_strategy()
        return
    alert["strategy"] = session["strategyId"]
    if alert.get("secret") == _SAMPLE_SECRET:
        alert["secret"] = session["webhookSecret"]
    text = json.dumps(alert)
    event["body"] = base64.b64encode(text.encode()).decode() if encoded else text


def _create_strategy() -> None:
    from shared.clock import utc_now  # noqa: PLC0415 - as above
    from shared.models.base import created_key  # noqa: PLC0415
    from shared.models.strategy import Strategy  # noqa: PLC0415
    from shared.secrets import SecretKind, seal  # noqa: PLC0415

    now = utc_now()
    Strategy(
        _SAMPLE_STRATEGY,
        created_key=created_key(now.isoformat(), _SAMPLE_STRATEGY),
        name="SAMPLE",
        exchange_id="BINANCE",
        symbol="BTC/USDT",
        report_api_key="none",
        report_secret_ciphertext=seal("none", kind=SecretKind.REPORT_KEY, owner_id=_SAMPLE_STRATEGY),
        webhook_secret_hash=hashlib.sha256(_SAMPLE_SECRET.encode()).hexdigest(),
        created_at=now,
        updated_at=now,
    ).save()


def _sign(event: dict[str, Any]) -> None:
    """Sign Stripe's sample event anew, if it has a signature: the one in the file is too old."""
    headers = event.get("headers") or {}
    if "stripe-signature" in headers:
        headers["stripe-signature"] = sign(event["body"].encode())


def _accept_token(event: dict[str, Any], *, pool: str) -> None:
    """Accept the sample's token in this call, if it has one: it belongs to a client of no pool."""
    claims: dict[str, str] = ((event.get("requestContext") or {}).get("authorizer") or {}).get("claims") or {}
    if claims:
        os.environ[f"{pool}_ID"] = claims["iss"].rpartition("/")[2]
        os.environ[f"{pool}_CLIENT_ID"] = claims["aud"]
    from shared.api import admin_standing  # noqa: PLC0415 - reads the settings
    from shared.user_pool import AdminStanding  # noqa: PLC0415

    # Nor is there an account whose standing Cognito could tell.
    admin_standing.remember(claims.get("sub", ""), AdminStanding(enabled=True, in_group=True, signed_out_at=0))


if __name__ == "__main__":
    sys.exit(main())
