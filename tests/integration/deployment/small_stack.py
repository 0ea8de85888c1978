"""A stack of two functions, in the embedded AWS, that is deployed in one release after the other as ours is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3

from local.deployment.releases import Release
from tests.integration.embedded_aws import REGION

ROLE = "arn:aws:iam::000000000000:role/any"


def client_of(url: str) -> Any:
    """Return what makes clients of the embedded AWS at this address."""

    def client(service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    return client


def resources_of(function: str, release: Release) -> dict[str, Any]:
    """Return a function that answers with its release, the version that it publishes, and its alias."""
    code = f"def handler(event, context):\n    return {release.name!r}\n"
    return {
        function: {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Description": release.describe(),
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": ROLE,
                "Code": {"ZipFile": code},
            },
        },
        f"{function}Version{release.name}": {
            "Type": "AWS::Lambda::Version",
            "DeletionPolicy": "Retain",
            "Properties": {"FunctionName": {"Ref": function}},
        },
        f"{function}Aliaslive": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "Name": "live",
                "FunctionName": {"Ref": function},
                "FunctionVersion": {"Fn::GetAtt": [f"{function}Version{release.name}", "Version"]},
            },
        },
    }


def deploy(client: Any, stack: str, resources: Mapping[str, Any]) -> None:
    """Create or update a stack, and wait until it is done."""
    cloudformation = client("cloudformation")
    body = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    known = {one["StackName"] for page in pages for one in page["Stacks"]}
    change = cloudformation.update_stack if stack in known else cloudformation.create_stack
    change(StackName=stack, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    waiter = cloudformation.get_waiter("stack_update_complete" if stack in known else "stack_create_complete")
    waiter.wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def called_release(client: Any, function: str) -> str:
    """Return the answer of a function through its alias."""
    answer = client("lambda").invoke(FunctionName=function, Qualifier="live", Payload=b"{}")
    release: str = json.load(answer["Payload"])
    return release
