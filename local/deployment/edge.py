"""Puts CloudFront in front of a stage's webhooks: `make edge STAGE=prod`, and part of `make deploy`.

The distribution has a stack of its own in us-east-1 (edge.yaml). The secret that it adds to requests is in SSM beside
the functions, which accept all that are stored there: `ROTATE=1` adds another one, and once CloudFront sends that, all
but it and the one before are forgotten. No request is refused meanwhile, nor after a rotation that fails.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from local.deployment.command import exit_status_of
from local.deployment.preflight import EDGE_REGION, EDGE_SECRET, Client, edge_clients, open_account
from local.deployment.stages import Stage
from local.stack.deploy import read_template
from local.stack.stacks import delete_if_never_made, describe, find, outputs_of, values_of

EDGE_TEMPLATE = "edge.yaml"

_HOSTS = {
    "StrategyHost": "StrategyFunctionUrl",
    "StripeHost": "StripeFunctionUrl",
    "TelegramHost": "TelegramFunctionUrl",
    "UnsubscribeHost": "UnsubscribeFunctionUrl",
}
"""The parameters of edge.yaml that come from outputs of the main stack."""

_ACCEPTED = 2
"""How many secrets stay accepted once CloudFront sends the present one."""

_NOTHING_TO_UPDATE = "No updates are to be performed"


def has_edge(stage: Stage) -> bool:
    """Return whether a stage's webhooks have a domain name, and with it a distribution."""
    return bool(stage.parameter("WebhookDomainName"))


def is_closed_to_operators(stage: Stage) -> bool:
    """Return whether the webhook refuses an operator's own alert: the firewall does, or the function, or both."""
    return has_edge(stage) or stage.parameter("DirectWebhookCalls") == "refused"


def headers_as_edge(stage: Stage, ssm: Any) -> dict[str, str]:
    """Return the headers with which a function takes a direct call for one through CloudFront, of a known sender."""
    sender = ip_network(stage.parameter("AlertSenders").split(",")[0], strict=False)
    kept = _read_secrets(stage, ssm)
    secret = {"X-Edge-Secret": kept[0]} if kept else {}
    return {**secret, "CloudFront-Viewer-Address": f"{sender.network_address}:443"}


def secret_parameter(stage: Stage) -> str:
    """Return the name of the SSM parameter that holds the secrets, the present one first."""
    return f"/{stage.stack_name}/{EDGE_SECRET}"


def ensure_secret(stage: Stage, ssm: Any) -> str:
    """Return the present secret; make the first one."""
    kept = _read_secrets(stage, ssm)
    return kept[0] if kept else _add_secret(stage, ssm, kept)


def rotate_secret(stage: Stage, ssm: Any) -> str:
    """Make a new secret, keep all others beside it, and return the new one.

    After a rotation that has failed, CloudFront sends an earlier one than the present.

    The functions read the parameter again as soon as a secret comes that they do not know.
    """
    return _add_secret(stage, ssm, _read_secrets(stage, ssm))


def deploy_edge(stage: Stage, client: Client, edge_client: Client) -> int:
    """Make or update the distribution and wait until it is everywhere; return the exit status."""
    ssm = client("ssm")
    secret = ensure_secret(stage, ssm)
    main_stack = describe(client("cloudformation"), stage.stack_name)
    cloudformation = edge_client("cloudformation")
    name = f"{stage.stack_name}-edge"
    values = parameters_of(main_stack, secret=secret)
    try:
        outputs = _create_or_update(cloudformation, name, values)
    except WaiterError:
        print(f"stack {name} in {EDGE_REGION} failed: its events say why", file=sys.stderr)
        return 1
    # CloudFormation waits for all of CloudFront's locations: they send the present secret now.
    if len(kept := _read_secrets(stage, ssm)) > _ACCEPTED:
        _store_secrets(stage, ssm, kept[:_ACCEPTED])
    print(
        f"https://{values['WebhookDomainName']}/v1/webhook/strategy leads to the webhook, as soon as the name leads to"
    )
    print(f"  {outputs['DistributionDomainName']}" + (" (done)" if values["HostedZoneId"] else " (a CNAME or alias)"))
    return 0


def parameters_of(main_stack: Mapping[str, Any], *, secret: str) -> dict[str, str]:
    """Return the parameters of the edge's stack; `main_stack` is the other's description by CloudFormation."""
    outputs = outputs_of(main_stack)
    hosts = {name: outputs[output].split("/")[2] for name, output in _HOSTS.items()}
    known = read_template(EDGE_TEMPLATE)["Parameters"]
    return (
        {name: value for name, value in values_of(main_stack).items() if name in known} | hosts | {"EdgeSecret": secret}
    )


def _create_or_update(cloudformation: Any, name: str, values: Mapping[str, str]) -> dict[str, str]:
    request = {
        "StackName": name,
        "TemplateBody": json.dumps(read_template(EDGE_TEMPLATE)),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
    }
    known = find(cloudformation, name)
    if known is None or delete_if_never_made(cloudformation, known):
        cloudformation.create_stack(**request)
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name)
    else:
        try:
            cloudformation.update_stack(**request)
            cloudformation.get_waiter("stack_update_complete").wait(StackName=name)
        except ClientError as error:
            if _NOTHING_TO_UPDATE not in error.response["Error"]["Message"]:
                raise
    return outputs_of(describe(cloudformation, name))


def _read_secrets(stage: Stage, ssm: Any) -> list[str]:
    try:
        value = ssm.get_parameter(Name=secret_parameter(stage), WithDecryption=True)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return []
        raise
    return str(value).split()


def _add_secret(stage: Stage, ssm: Any, kept: list[str]) -> str:
    added = secrets.token_urlsafe(32)
    _store_secrets(stage, ssm, [added, *kept])
    return added


def _store_secrets(stage: Stage, ssm: Any, kept: list[str]) -> None:
    ssm.put_parameter(Name=secret_parameter(stage), Type="SecureString", Value=" ".join(kept), Overwrite=True)


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Deploy the edge of the stage that is named and return the exit status."""

    def deploy() -> int:
        stage, client, status = open_account(arguments)
        if status is None or not has_edge(stage):
            print("deploy the stage first, with WebhookDomainName and its certificate", file=sys.stderr)
            return 1
        if environment.get("ROTATE"):
            rotate_secret(stage, client("ssm"))
        return deploy_edge(stage, client, edge_clients(stage))

    return exit_status_of(deploy)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
