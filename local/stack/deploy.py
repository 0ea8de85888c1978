"""Deploys the built template into the embedded AWS with `sam deploy`, and adds what the embedded AWS leaves out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config

from local import stripe, telegram
from local.stack import edge, stacks
from local.stack.build import parameters
from local.stack.places import LOCAL, REGION, ROOT, STACK_NAME, TOOLS, NotReady, Places, aws_environment
from local.stack.processes import run_tool
from local.stack.stacks import outputs_of

SENDER_ADDRESS = "notices@example.com"

STRIPE_WEBHOOK_PATH = "/v1/webhook/stripe"
TELEGRAM_WEBHOOK_PATH = "/v1/webhook/telegram"
UNSUBSCRIBE_PATH = "/v1/unsubscribe"

ALIAS = "live"
"""The alias of each function that everything calls."""

WEB_ORIGIN = "http://localhost:5173"
"""Where a web page under development is served, which may read the API's answers."""

_ARTIFACTS = f"{STACK_NAME}-artifacts"
ARTIFACTS = f"{STACK_NAME}-artifacts"
"""The bucket that the local stack is deployed from."""

_SECRETS = {
    "stripe-api-key": stripe.API_KEY,
    "stripe-webhook-secret": stripe.WEBHOOK_SECRET,
    "telegram-bot-token": telegram.BOT_TOKEN,
    "telegram-webhook-secret": telegram.WEBHOOK_SECRET,
    "telegram-link-key": telegram.LINK_KEY,
    "edge-secret": edge.EDGE_SECRET,
}
"""The values that an operator stores in SSM, by the last part of their names."""

_SECRET_VARIABLES = {
    "STRIPE_WEBHOOK_SECRET_PARAMETER": "stripe-webhook-secret",
    "TELEGRAM_TOKEN_PARAMETER": "telegram-bot-token",
    "TELEGRAM_SECRET_PARAMETER": "telegram-webhook-secret",
    "TELEGRAM_LINK_KEY_PARAMETER": "telegram-link-key",
}


@dataclass(frozen=True, slots=True)
class Deployed:
    """The outputs of the deployed stack."""

    outputs: Mapping[str, str]

    @property
    def api_base(self) -> str:
        """Path of the REST API's stage in the embedded AWS."""
        return f"/_aws/execute-api/{self.outputs['ApiId']}/live"

    @property
    def webhook_base(self) -> str:
        """Path of the webhook's Function URL in the embedded AWS."""
        return _function_url_path(self.outputs["WebhookUrl"])

    @property
    def bases_beside_webhook(self) -> dict[str, str]:
        """The other webhooks on the same port: path → path of the Function URL in the embedded AWS."""
        return {
            STRIPE_WEBHOOK_PATH: _function_url_path(self.outputs["StripeWebhookUrl"]),
            TELEGRAM_WEBHOOK_PATH: _function_url_path(self.outputs["TelegramWebhookUrl"]),
            UNSUBSCRIBE_PATH: _function_url_path(self.outputs["UnsubscribeUrl"]),
        }

    @property
    def _queue_urls(self) -> dict[str, str]:
        return {variable_of(name): url for name, url in self.outputs.items() if name.endswith("QueueUrl")}

    def environment(self, places: Places) -> dict[str, str]:
        """Return the environment that lets `shared` use this stack, as inside a function."""
        return aws_environment(
            places,
            TABLE_PREFIX=self.outputs["TablePrefix"],
            **self._queue_urls,
            SECRETS_KEY_ID=self.outputs["SecretsKeyArn"],
            PAGING_KEY_ID=self.outputs["PagingKeyArn"],
            MAINTENANCE_PARAMETER=self.outputs["MaintenanceParameterName"],
            USER_POOL_ID=self.outputs["UserPoolId"],
            USER_POOL_CLIENT_ID=self.outputs["UserPoolClientId"],
            ADMIN_POOL_ID=self.outputs["AdminPoolId"],
            ADMIN_POOL_CLIENT_ID=self.outputs["AdminPoolClientId"],
            EXCHANGE_URL=places.exchange_url,
            TELEGRAM_URL=places.telegram_url,
            SENDER_ADDRESS=SENDER_ADDRESS,
            **secrets_environment(),
            PUBLIC_WEBHOOK_URL=webhook_address(places),
        )


def variable_of(output: str) -> str:
    """Return the environment variable that holds an output of the template: STRIPE_EVENTS_QUEUE_URL."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", output).upper()


@cache
def client(service: str, places: Places) -> Any:
    """Return a boto3 client of this stack, independent of the user's own AWS settings."""
    return boto3.session.Session().client(
        service,  # type: ignore[call-overload]
        endpoint_url=places.aws_url,
        region_name=REGION,
        aws_access_key_id=places.aws_key.id,
        aws_secret_access_key=places.aws_key.secret,
        config=Config(proxies={}, retries={"max_attempts": 2}),
    )


def _function_url_path(address: str) -> str:
    host = address.split("/")[2]
    return f"/_aws/lambda-url/{host.split('.')[0]}"


def webhook_address(places: Places) -> str:
    """Return the webhook's public address."""
    return f"{places.webhook_url}/v1/webhook/strategy"


def stripe_webhook_address(places: Places) -> str:
    """Return the address that the stand-in for Stripe sends its events to."""
    return f"{places.webhook_url}{STRIPE_WEBHOOK_PATH}"


def telegram_webhook_address(places: Places) -> str:
    """Return the address that the stand-in for Telegram sends its updates to."""
    return f"{places.webhook_url}{TELEGRAM_WEBHOOK_PATH}"


def deploy(places: Places, template: Path, **overrides: str) -> Deployed:
    """Deploy a built template with these parameters and return the outputs; raise NotReady with SAM's last lines."""
    client("s3", places).create_bucket(Bucket=ARTIFACTS)
    values = {
        "Retained": "false",
        "IdTokenMinutes": "1440",
        "PasswordSignIn": "true",
        "ExchangeUrl": places.exchange_url,
        "StripeUrl": places.stripe_url,
        "AccountPageUrl": f"{places.api_url}/docs",
        "TelegramUrl": places.telegram_url,
        "TelegramBotName": telegram.BOT_NAME,
        "SenderAddress": SENDER_ADDRESS,
        "PublicWebhookUrl": webhook_address(places),
        "PublicUnsubscribeUrl": f"{places.webhook_url}{UNSUBSCRIBE_PATH}",
        "WebOrigin": WEB_ORIGIN,
        "DirectWebhookCalls": "refused",
        "AlertSenders": edge.SENDERS,
        **overrides,
    }
    sam_deploy(places, template, stack_name=STACK_NAME, values=values)
    deployed = find(places)
    if deployed is None:
        raise NotReady(f"the stack was not created; see {places.logs}")
    _put_gateway_answers(places, deployed, web_origin=values["WebOrigin"])
    put_secrets(client("ssm", places))
    client("sesv2", places).create_email_identity(EmailIdentity=SENDER_ADDRESS)
    return deployed


def sam_deploy(places: Places, template: Path, *, stack_name: str, values: Mapping[str, str]) -> None:
    """Deploy a built template as a stack; raise NotReady with the end of SAM's output."""
    run_tool(
        "sam deploy",
        [
            *(str(TOOLS / "sam"), "deploy", "--template-file", str(template)),
            *("--stack-name", stack_name, "--s3-bucket", ARTIFACTS, "--region", REGION, "--no-progressbar"),
            *("--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local"),
            *parameters(**values),
        ],
        environment=aws_environment(
            places, SAM_CLI_TELEMETRY="0", SAM_CLI_POLL_DELAY="0.3", __SAM_CLI_APP_DIR=str(LOCAL / "sam")
        ),
        log=places.logs / f"deploy-{stack_name}.log",
    )


def put_secrets(ssm: Any) -> None:
    """Store the stand-ins' secrets in SSM, as an operator does on AWS."""
    for name, value in _SECRETS.items():
        ssm.put_parameter(Name=parameter_name(name), Type="SecureString", Value=value, Overwrite=True)


def parameter_name(name: str) -> str:
    """Return the SSM name of a secret in the local stack, whose name comes first in it as in every stack."""
    return f"/{STACK_NAME}/{name}"


def secrets_environment() -> dict[str, str]:
    """Return the variables that hold the SSM names of both webhooks' and the bot's secrets."""
    return {variable: parameter_name(name) for variable, name in _SECRET_VARIABLES.items()}


def find(places: Places) -> Deployed | None:
    """Return the deployed stack, or None; a restart with kept state finds one."""
    outputs = outputs_of(stacks.find(client("cloudformation", places), STACK_NAME) or {})
    return Deployed(outputs) if "ApiId" in outputs else None


def _put_gateway_answers(places: Places, deployed: Deployed, *, web_origin: str) -> None:
    # The embedded AWS ignores those in the API's body, where SAM writes them.
    gateway = client("apigateway", places)
    api_id = deployed.outputs["ApiId"]
    for kind, response in gateway_responses().items():
        headers = response["ResponseParameters"]["Headers"]
        gateway.put_gateway_response(
            restApiId=api_id,
            responseType=kind,
            **({"statusCode": str(response["StatusCode"])} if "StatusCode" in response else {}),
            responseTemplates=response["ResponseTemplates"],
            responseParameters=_header_values(headers, "gatewayresponse.header.", web_origin=web_origin),
        )
    _put_preflights(gateway, api_id, web_origin=web_origin)
    gateway.create_deployment(restApiId=api_id, stageName="live")


def _put_preflights(gateway: Any, api_id: str, *, web_origin: str) -> None:
    cors = read_template()["Resources"]["AdminApi"]["Properties"]["Cors"]
    for page in gateway.get_paginator("get_resources").paginate(restApiId=api_id):
        for resource in page["items"]:
            methods = resource.get("resourceMethods", {})
            if "OPTIONS" not in methods:
                continue
            headers = {
                "Access-Control-Allow-Origin": cors["AllowOrigin"],
                "Access-Control-Allow-Headers": cors["AllowHeaders"],
                "Access-Control-Max-Age": cors["MaxAge"],
                # SAM lists each path's own.
                "Access-Control-Allow-Methods": f"'{','.join(sorted(methods))}'",
            }
            gateway.put_integration_response(
                restApiId=api_id,
                resourceId=resource["id"],
                httpMethod="OPTIONS",
                statusCode="200",
                responseParameters=_header_values(headers, "method.response.header.", web_origin=web_origin),
            )


def _header_values(headers: Mapping[str, Any], prefix: str, *, web_origin: str) -> dict[str, str]:
    """Return the values of headers as API Gateway takes them, without the one of the web origin where there is none."""
    values = {name: f"'{web_origin}'" if isinstance(value, dict) else value for name, value in headers.items()}
    return {f"{prefix}{name}": value for name, value in values.items() if value != "''"}


def gateway_responses() -> dict[str, Any]:
    """Return the gateway responses of template.yaml."""
    template = read_template()
    responses: dict[str, Any] = template["Resources"]["AdminApi"]["Properties"]["GatewayResponses"]
    return responses


def read_template(name: str = "template.yaml") -> dict[str, Any]:
    """Return a template of this project, with CloudFormation's short forms (`!Ref`) as long forms."""
    template: dict[str, Any] = yaml.load((ROOT / name).read_text(encoding="utf-8"), _TemplateLoader)  # noqa: S506
    return template


class _TemplateLoader(yaml.SafeLoader):
    """Reads `!Ref x` as {"Ref": "x"} and `!Name x` as {"Fn::Name": x}."""


def _short_function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    match node:
        case yaml.ScalarNode():
            value = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case _:
            value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


_TemplateLoader.add_multi_constructor("!", _short_function)
