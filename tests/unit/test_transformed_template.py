"""Rules of AWS that the embedded AWS does not check, on the template as CloudFormation gets it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from local.stack.places import ROOT
from shared.models.notice import Outcome
from shared.observability import ATTENTION_NEEDED
from shared.trading.execution import ExecutionState
from tests.unit.transformed_template import function_of, of_type, resources, template, transformed

NAMED_BY = {
    "AWS::Cognito::UserPool": "UserPoolName",
    "AWS::Cognito::UserPoolClient": "ClientName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SSM::Parameter": "Name",
}
"""The property that gives a resource its name in the account and region, by type."""


def strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield all texts below a value, each with the key that holds it."""
    match value:
        case str():
            yield key, value
        case dict():
            for name, inner in value.items():
                yield from strings(inner, name)
        case list():
            for inner in value:
                yield from strings(inner, key)


@pytest.mark.parametrize("kind", sorted(NAMED_BY))
def test_resources_with_a_name_have_the_stacks_name_in_it(kind: str) -> None:
    found = of_type(kind)
    assert found
    for resource, properties in found.items():
        assert "${AWS::StackName}" in json.dumps(properties[NAMED_BY[kind]]), resource


def test_resources_of_other_types_have_no_fixed_name() -> None:
    fixed = {"FunctionName", "RoleName", "TopicName", "LogGroupName", "Name", "AlarmName", "LayerName", "PolicyName"}
    # An alias is named within its function.
    allowed = {"AWS::SSM::Parameter", "AWS::ApiGateway::RestApi", "AWS::Lambda::LayerVersion", "AWS::Lambda::Alias"}
    for resource, one in resources().items():
        if one["Type"] not in allowed:
            named = {
                name for name in fixed & set(one.get("Properties", {})) if isinstance(one["Properties"][name], str)
            }
            assert named == set(), resource


def test_two_stacks_in_one_account_share_no_secret() -> None:
    paths = {
        value
        for one in resources().values()
        for key, value in strings(one.get("Properties", {}))
        if re.fullmatch(r"/[A-Za-z0-9_./${}:-]+", value) and (key.endswith("_PARAMETER") or key == "Fn::Sub")
    }
    assert paths
    assert {path for path in paths if not path.startswith("/${AWS::StackName}/")} == set()
    granted = {value for role in of_type("AWS::IAM::Role").values() for _, value in strings(role) if ":ssm:" in value}
    assert granted
    assert {
        arn for arn in granted if ":parameter/${AWS::StackName}/" not in arn and "MaintenanceParameter" not in arn
    } == set()


def test_two_stacks_in_one_account_share_no_alarm() -> None:
    alarms = of_type("AWS::CloudWatch::Alarm")
    for name, alarm in alarms.items():
        own = alarm["Namespace"] == {"Ref": "AWS::StackName"}
        assert own or alarm["Namespace"].startswith("AWS/"), name
        # A metric of AWS is told apart by the resource that it names.
        assert own or all(isinstance(one["Value"], dict) for one in alarm["Dimensions"]), name
    for name, function in of_type("AWS::Lambda::Function").items():
        assert function["Environment"]["Variables"]["METRICS_NAMESPACE"] == {"Ref": "AWS::StackName"}, name


def test_what_is_kept_after_a_deletion_does_not_block_the_second_try_of_a_first_deployment() -> None:
    # A function takes its versions along.
    versions = set(of_type("AWS::Lambda::Version"))
    kept = {name for name, one in resources().items() if one.get("DeletionPolicy", "Delete") != "Delete"} - versions
    assert set(of_type("AWS::DynamoDB::Table")) <= kept
    assert {name for name in kept if resources()[name]["DeletionPolicy"] != "RetainExceptOnCreate"} == set()


def test_alarms_may_publish_to_their_encrypted_topic() -> None:
    (topic,) = of_type("AWS::SNS::Topic").values()
    key = of_type("AWS::KMS::Key")[topic["KmsMasterKeyId"]["Ref"]]
    granted = [
        one["Action"]
        for one in key["KeyPolicy"]["Statement"]
        if one["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        and one["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    ]
    assert granted == [["kms:Decrypt", "kms:GenerateDataKey*"]]


def test_operations_say_what_to_do_about_every_alarm() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text[text.index("## Alarms") : text.index("## Bounds")]
    assert set(re.findall(r"`(\w+Alarm)`", table)) == set(of_type("AWS::CloudWatch::Alarm"))


def test_every_alarm_is_told_to_the_operators() -> None:
    for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] == [{"Ref": "Alarms"}], name


@pytest.mark.parametrize(
    "function", ["StrategyWebhookExpressJSv1", "TriggerFanout", "OrderExecutor", "PositionWatcher"]
)
def test_functions_of_an_alerts_road_have_alarms_on_errors_throttles_and_duration(function: str) -> None:
    watched = {
        alarm["MetricName"]: alarm["Threshold"]
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        if {"Name": "FunctionName", "Value": {"Ref": function}} in alarm.get("Dimensions", [])
    }
    assert {"Errors": 0, "Throttles": 0}.items() <= watched.items()
    # The alarm must ring before the function is cut off.
    assert watched["Duration"] < 1000 * of_type("AWS::Lambda::Function")[function]["Timeout"]


def test_alarms_on_our_metrics_watch_what_the_code_counts_with_those_dimensions() -> None:
    counted = metrics_in_code()
    ours = {n: one for n, one in of_type("AWS::CloudWatch::Alarm").items() if "Ref" in one["Namespace"]}
    assert ours
    for name, alarm in ours.items():
        dimensions = {one["Name"] for one in alarm.get("Dimensions", [])}
        # CloudWatch adds nothing up over dimensions: the alarm must name all that the metric has.
        assert dimensions in counted.get(alarm["MetricName"], []), name


def metrics_in_code() -> dict[str, list[set[str]]]:
    """Return the names of dimensions with which each metric is counted; a name made at run time by its pattern."""
    states = [state.value.lower() for state in ExecutionState]
    found: dict[str, list[set[str]]] = {}
    for path in [*(ROOT / "shared").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match call:
                case ast.Call(func=ast.Name(id="count_outcome" | "measure_ms"), args=[name, *_], keywords=keywords):
                    dimensions = {str(keyword.arg) for keyword in keywords}
                    for text in names_of_metric(name, states=states):
                        found.setdefault(text, []).append(dimensions)
                case ast.keyword(arg="failure", value=ast.Constant(value=str(text))):
                    found.setdefault(text, []).append(set())
    return found


def names_of_metric(name: ast.expr, *, states: list[str]) -> list[str]:
    match name:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.Name(id="ATTENTION_NEEDED"):
            return [ATTENTION_NEEDED]
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), ast.FormattedValue()]):
            return [f"{text}{state}" for state in states] + [f"{text}{outcome.value.lower()}" for outcome in Outcome]
    return []


def queues_sent_to(function: str) -> set[str]:
    found: set[str] = set()
    (policy,) = of_type("AWS::IAM::Role")[f"{function}Role"]["Policies"]
    for one in policy["PolicyDocument"]["Statement"]:
        # A statement that depends on a condition is judged as if it held.
        statement = one["Fn::If"][1] if "Fn::If" in one else one
        if "sqs:SendMessage" in statement["Action"]:
            found |= set(map(queue_of, statement["Resource"]))
    return found


def queue_of(resource: dict[str, Any]) -> str:
    """Return the queue that a right names; those of further lanes have an executor like the first one's."""
    if "Fn::GetAtt" in resource:
        return str(resource["Fn::GetAtt"][0])
    assert resource["Fn::Sub"].endswith("-lane-*-orders.fifo"), resource
    return "OrdersQueue"


def test_lambda_stops_no_chain_of_queues_that_ends_by_itself() -> None:
    """Lambda ends a chain of some 16 invocations through SQS, unless every function in the cycle allows it."""
    functions = of_type("AWS::Lambda::Function")
    consumer = {
        mapping["EventSourceArn"]["Fn::GetAtt"][0]: function_of(mapping["FunctionName"])
        for mapping in of_type("AWS::Lambda::EventSourceMapping").values()
    }
    calls = {name: {consumer[queue] for queue in queues_sent_to(name) if queue in consumer} for name in functions}

    def reached_from(name: str) -> set[str]:
        found: set[str] = set()
        waiting = set(calls[name])
        while waiting:
            found.add(called := waiting.pop())
            waiting |= calls[called] - found
        return found

    in_cycle = {name for name in functions if name in reached_from(name)}
    assert {"OrderExecutor", "PositionWatcher", "NoticeSender", "ReportSender", "ManualTradeImporter"} <= in_cycle
    allowing = {name for name, one in functions.items() if one.get("RecursiveLoop") == "Allow"}
    assert allowing == in_cycle


def granted(*kinds: str) -> set[str]:
    """Return the actions that resources of these kinds allow."""
    found: set[str] = set()
    for kind in kinds:
        for one in of_type(kind).values():
            documents = [one, *one.get("Policies", [])]
            for document in documents:
                for statement in document.get("PolicyDocument", {}).get("Statement", []):
                    actions = statement.get("Fn::If", ["", statement])[1]["Action"]
                    found |= {actions} if isinstance(actions, str) else set(actions)
    return found


def test_functions_reach_each_other_by_queues_alone_so_the_graph_is_whole() -> None:
    """Lambda watches chains through SQS, SNS, S3 and calls; a stream is none of them."""
    own = granted("AWS::IAM::Role")
    assert "sqs:SendMessage" in own
    others = ("lambda:Invoke", "sns:Publish", "events:Put", "states:Start", "scheduler:Create", "sqs:*", "*")
    assert {action for action in own if action.startswith(others[:-2]) or action in others} == set()
    # The graph reads the roles' own policies.
    assert {action for action in granted("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy") if "sqs" in action} == set()
    assert {one["Type"] for one in resources().values()} & {"AWS::Lambda::EventInvokeConfig"} == set()
    # The bucket of the exports calls nobody.
    assert [one for one in of_type("AWS::S3::Bucket").values() if "NotificationConfiguration" in one] == []


def test_executor_of_a_further_lane_is_in_the_same_cycle_and_allows_it() -> None:
    further = transformed("lane.yaml")["Resources"].values()
    (executor,) = [one["Properties"] for one in further if one["Type"] == "AWS::Lambda::Function"]
    assert executor["RecursiveLoop"] == "Allow"


def test_a_full_queue_leaves_the_watcher_room_for_its_schedule() -> None:
    (mapping,) = [
        one
        for one in of_type("AWS::Lambda::EventSourceMapping").values()
        if function_of(one["FunctionName"]) == "PositionWatcher"
    ]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 3}
    assert template()["Parameters"]["WatcherConcurrency"]["Default"] > 3
    (rule,) = template()["Rules"]["WatcherKeepsRoomForItsSchedule"]["Assertions"]
    assert rule["Assert"] == {"Fn::Not": [{"Fn::Contains": [["1", "2", "3"], {"Ref": "WatcherConcurrency"}]}]}


def test_production_refuses_what_only_a_test_stack_may_have() -> None:
    rule = template()["Rules"]["ProductionRings"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}
    required = [one["Assert"] for one in rule["Assertions"]]
    assert {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmEmail"}, ""]}]} in required
    assert {"Fn::Equals": [{"Ref": "PasswordSignIn"}, "false"]} in required


def test_consumers_are_refused_a_maximum_of_one() -> None:
    (rule,) = template()["Rules"]["ExecutorServesTwoBatches"]["Assertions"]
    assert rule["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ExecutorConcurrency"}, "1"]}]}
    for name, mapping in of_type("AWS::Lambda::EventSourceMapping").items():
        match mapping.get("ScalingConfig"):
            case {"MaximumConcurrency": int(maximum)}:
                assert maximum >= 2, name
            case {"MaximumConcurrency": {"Ref": parameter}}:
                assert template()["Parameters"][parameter]["MinValue"] >= 2, name


def test_roles_have_no_policies_of_aws_or_of_sam() -> None:
    functions = of_type("AWS::Lambda::Function")
    roles = of_type("AWS::IAM::Role")
    assert {one["Role"]["Fn::GetAtt"][0] for one in functions.values()} <= set(roles)
    for name, role in roles.items():
        attached = role.get("ManagedPolicyArns", [])
        ours = [one["Fn::If"][1] if "Fn::If" in one else one for one in attached]
        assert all(resources()[one["Ref"]]["Type"] == "AWS::IAM::ManagedPolicy" for one in ours), name


def test_a_role_is_of_one_function() -> None:
    used = [one["Role"]["Fn::GetAtt"][0] for one in of_type("AWS::Lambda::Function").values()]
    assert len(used) == len(set(used))


EGRESS = "HasFixedEgress"


def test_functions_that_ask_the_exchange_leave_by_the_fixed_address_and_no_others_do() -> None:
    functions = of_type("AWS::Lambda::Function")
    asking = {name for name, one in functions.items() if "ExchangeLayer" in str(one["Layers"])}
    assert asking
    placed = {name: one["VpcConfig"] for name, one in functions.items() if "VpcConfig" in one}
    assert set(placed) == asking
    for name, config in placed.items():
        condition, inside, outside = config["Fn::If"]
        assert (condition, outside) == (EGRESS, {"Ref": "AWS::NoValue"}), name
        assert inside == {
            "SecurityGroupIds": [{"Ref": "EgressSecurityGroup"}],
            "SubnetIds": [{"Ref": "EgressSubnetA"}, {"Ref": "EgressSubnetB"}],
        }
        # Lambda refuses a function in a VPC whose role may make no network interface.
        attached = of_type("AWS::IAM::Role")[f"{name}Role"]["ManagedPolicyArns"]
        assert {"Fn::If": [EGRESS, {"Ref": "UseNetwork"}, {"Ref": "AWS::NoValue"}]} in attached


def test_network_is_made_only_for_a_fixed_address() -> None:
    network = {name: one for name, one in resources().items() if one["Type"].startswith("AWS::EC2::")}
    assert network
    assert {one.get("Condition") for one in network.values()} == {EGRESS}
    assert template()["Parameters"]["FixedEgress"]["Default"] == "false"


def test_both_zones_leave_through_the_one_nat_gateway_with_the_kept_address() -> None:
    zones = {name: one["AvailabilityZone"]["Fn::Select"][0] for name, one in of_type("AWS::EC2::Subnet").items()}
    assert zones == {"PublicSubnet": 0, "EgressSubnetA": 0, "EgressSubnetB": 1}
    routes = {
        (one["SubnetId"]["Ref"], one["RouteTableId"]["Ref"])
        for one in of_type("AWS::EC2::SubnetRouteTableAssociation").values()
    }
    assert routes == {
        ("PublicSubnet", "PublicRoutes"),
        ("EgressSubnetA", "EgressRoutes"),
        ("EgressSubnetB", "EgressRoutes"),
    }
    default = of_type("AWS::EC2::Route")["EgressDefaultRoute"]
    assert (default["RouteTableId"], default["NatGatewayId"]) == ({"Ref": "EgressRoutes"}, {"Ref": "EgressNat"})
    (nat,) = of_type("AWS::EC2::NatGateway").values()
    assert nat["AllocationId"] == {"Fn::GetAtt": ["EgressAddress", "AllocationId"]}
    assert resources()["EgressAddress"]["DeletionPolicy"] == "RetainExceptOnCreate"
    (endpoint,) = of_type("AWS::EC2::VPCEndpoint").values()
    assert endpoint["RouteTableIds"] == [{"Ref": "EgressRoutes"}]


def test_nothing_reaches_the_functions_from_outside() -> None:
    (group,) = of_type("AWS::EC2::SecurityGroup").values()
    assert "SecurityGroupIngress" not in group
    assert [(one["FromPort"], one["ToPort"]) for one in group["SecurityGroupEgress"]] == [(443, 443)]


@pytest.mark.parametrize("pool", ["AdminPool", "UserPool"])
def test_pools_ignore_case_and_mail_through_the_verified_sender(pool: str) -> None:
    properties = of_type("AWS::Cognito::UserPool")[pool]
    assert properties["UsernameConfiguration"] == {"CaseSensitive": False}
    condition, given, otherwise = properties["EmailConfiguration"]["Fn::If"]
    assert (condition, otherwise) == ("HasSender", {"Ref": "AWS::NoValue"})
    assert given["EmailSendingAccount"] == "DEVELOPER"
    condition, of_domain, of_address = given["SourceArn"]["Fn::If"]
    assert condition == "HasSenderIdentity"
    assert of_domain["Fn::Sub"].endswith(":identity/${SenderIdentity}")
    assert of_address["Fn::Sub"].endswith(":identity/${SenderAddress}")


def test_admins_need_a_second_factor_wherever_passwords_alone_are_not_allowed() -> None:
    pool = of_type("AWS::Cognito::UserPool")["AdminPool"]
    assert pool["MfaConfiguration"] == {"Fn::If": ["PasswordSignInAllowed", "OPTIONAL", "ON"]}
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert template()["Parameters"]["PasswordSignIn"]["Default"] == "false"


ONE_ORIGIN = {"Fn::If": ["HasWebOrigin", {"Fn::Sub": "'${WebOrigin}'"}, {"Ref": "AWS::NoValue"}]}


def api_body() -> dict[str, Any]:
    """Return the document that API Gateway makes the API of."""
    body: dict[str, Any] = of_type("AWS::ApiGateway::RestApi")["AdminApi"]["Body"]
    return body


def test_every_path_answers_preflights_without_a_token_and_names_its_own_methods() -> None:
    for path, methods in api_body()["paths"].items():
        preflight = methods["options"]
        # A preflight carries no token: an authorizer there refuses every browser.
        assert preflight.get("security", []) == [], path
        integration = preflight["x-amazon-apigateway-integration"]
        assert integration["type"] == "mock", path
        headers = integration["responses"]["default"]["responseParameters"]
        allowed = headers["method.response.header.Access-Control-Allow-Methods"].strip("'").split(",")
        assert sorted(allowed) == sorted(method.upper() for method in methods), path
        assert headers["method.response.header.Access-Control-Allow-Origin"] == ONE_ORIGIN, path
        asked = headers["method.response.header.Access-Control-Allow-Headers"].strip("'").split(",")
        assert set(asked) == {"Authorization", "Content-Type", "Idempotency-Key"}, path
        assert "method.response.header.Access-Control-Allow-Credentials" not in headers, path


def test_browsers_may_read_what_the_gateway_refuses_itself() -> None:
    responses = api_body()["x-amazon-apigateway-gateway-responses"]
    # The two defaults stand for all that have no text of their own.
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "UNAUTHORIZED", "THROTTLED", "WAF_FILTERED"} <= set(responses)
    for kind, response in responses.items():
        headers = response["responseParameters"]
        assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == ONE_ORIGIN, kind
        assert headers["gatewayresponse.header.Access-Control-Expose-Headers"] == "'x-request-id'", kind


def test_gateway_functions_and_preflights_follow_one_origin_and_none_by_default() -> None:
    assert template()["Parameters"]["WebOrigin"]["Default"] == ""
    assert template()["Conditions"]["HasWebOrigin"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "WebOrigin"}, ""]}]}
    for name, function in of_type("AWS::Lambda::Function").items():
        assert function["Environment"]["Variables"]["WEB_ORIGIN"] == {"Ref": "WebOrigin"}, name


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("", True),
        ("https://app.example.com", True),
        ("https://app.example.com:8443", True),
        ("http://localhost:5173", True),
        ("*", False),
        ("null", False),
        ("https://app.example.com/", False),
        ("http://app.example.com", False),
        ("https://a.example.com,https://b.example.com", False),
        ("https://app.example.com'", False),
    ],
)
def test_web_origin_is_one_origin_as_browsers_send_it(origin: str, allowed: bool) -> None:
    pattern = template()["Parameters"]["WebOrigin"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, origin)) == allowed


def test_api_is_deployed_anew_when_only_a_parameter_in_it_changes() -> None:
    """A stage serves the deployment that it has; SAM makes another one only for a changed text, or always."""
    (deployment,) = of_type("AWS::ApiGateway::Deployment")
    with patch("samtranslator.model.apigateway.time.time", return_value=0.0):
        later = transformed()["Resources"]
    assert deployment not in later


WEBHOOKS = {
    "StrategyWebhookExpressJSv1": "webhook/strategy",
    "StripeWebhook": "webhook/stripe",
    "TelegramWebhook": "webhook/telegram",
    "ReportUnsubscribe": "unsubscribe",
}
"""The functions with a URL of their own, and its path behind `/v1/`."""


def matches(parameter: str, value: str) -> bool:
    """Return whether CloudFormation takes a parameter's value."""
    return re.fullmatch(template()["Parameters"][parameter]["AllowedPattern"], value) is not None


def assertions(rule: str) -> tuple[Any, list[Any]]:
    """Return when a rule holds, and what it demands."""
    found = template()["Rules"][rule]
    return found["RuleCondition"], [one["Assert"] for one in found["Assertions"]]


def is_not_empty(parameter: str) -> dict[str, Any]:
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


@pytest.mark.parametrize("function", sorted(WEBHOOKS))
def test_webhooks_know_the_secret_of_cloudfront_where_direct_calls_are_refused(function: str) -> None:
    name = {"Fn::If": ["RefusesDirectCalls", {"Fn::Sub": "/${AWS::StackName}/edge-secret"}, ""]}
    assert of_type("AWS::Lambda::Function")[function]["Environment"]["Variables"]["EDGE_SECRET_PARAMETER"] == name
    (document,) = [one["PolicyDocument"] for one in of_type("AWS::IAM::Role")[f"{function}Role"]["Policies"]]
    (granted,) = [one for one in document["Statement"] if one.get("Sid") == "ReadEdgeSecret"]
    assert granted["Action"] == ["ssm:GetParameter"]
    assert [one["Fn::Sub"].split(":parameter")[1] for one in granted["Resource"]] == ["/${AWS::StackName}/edge-secret"]


def test_all_functions_with_a_url_of_their_own_are_webhooks_behind_cloudfront() -> None:
    urls = of_type("AWS::Lambda::Url")
    assert set(urls) == {f"{function}Url" for function in WEBHOOKS}
    # CloudFront's own signature needs a hash of the body from each sender, and TradingView sends none.
    assert {one["AuthType"] for one in urls.values()} == {"NONE"}


def test_address_in_hundreds_of_alerts_is_the_domains_where_there_is_one() -> None:
    shown = of_type("AWS::Lambda::Function")["AdminSettingStrategyExpressJSv1"]["Environment"]["Variables"][
        "PUBLIC_WEBHOOK_URL"
    ]
    outputs = template()["Outputs"]
    shown_in = dict(
        zip(WEBHOOKS, ("WebhookUrl", "StripeWebhookUrl", "TelegramWebhookUrl", "UnsubscribeUrl"), strict=True)
    )
    for function, path in WEBHOOKS.items():
        name = shown_in[function]
        condition, by_domain, _ = outputs[name]["Value"]["Fn::If"]
        assert condition == "HasWebhookDomain"
        assert by_domain == {"Fn::Sub": f"https://${{WebhookDomainName}}/v1/{path}"}
    assert shown == {"Fn::If": ["HasWebhookAddress", {"Ref": "PublicWebhookUrl"}, outputs["WebhookUrl"]["Value"]]}
    linked = of_type("AWS::Lambda::Function")["NoticeSender"]["Environment"]["Variables"]["UNSUBSCRIBE_URL"]
    own = {"Ref": "PublicUnsubscribeUrl"}
    assert linked == {"Fn::If": ["HasUnsubscribeAddress", own, outputs["UnsubscribeUrl"]["Value"]]}


def test_direct_calls_are_refused_only_where_there_is_another_way_in() -> None:
    assert template()["Parameters"]["DirectWebhookCalls"]["Default"] == "allowed"
    condition, demanded = assertions("AlertsReachTheWebhookSomehow")
    assert condition == {"Fn::Equals": [{"Ref": "DirectWebhookCalls"}, "refused"]}
    assert demanded == [{"Fn::Or": [is_not_empty("WebhookDomainName"), is_not_empty("PublicWebhookUrl")]}]
    assert assertions("CloudFrontHasANameAndACertificate") == (
        is_not_empty("WebhookDomainName"),
        [is_not_empty("WebhookCertificateArn")],
    )


@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        ("WebhookCertificateArn", "", True),
        ("WebhookCertificateArn", "arn:aws:acm:us-east-1:123456789012:certificate/12ab-34cd", True),
        # CloudFront looks for certificates in one region only.
        ("WebhookCertificateArn", "arn:aws:acm:ap-northeast-1:123456789012:certificate/12ab-34cd", False),
        ("WebhookDomainName", "hooks.example.com", True),
        ("WebhookDomainName", "https://hooks.example.com", False),
        ("WebhookDomainName", "hooks.example.com/", False),
        ("WebhookDomainName", "hooks", False),
        ("AlertSenders", "52.89.214.238/32,34.212.75.30/32", True),
        ("AlertSenders", "52.89.214.238", False),
        ("AlertSenders", "52.89.214.999/32", False),
        ("AlertSenders", "52.89.214.238/32,", False),
        ("AlertSenders", "52.89.214.238/32, 34.212.75.30/32", False),
        ("AlertSenders", "0.0.0.0/0", False),
        ("AlertSenders", "", False),
    ],
)
def test_parameters_of_the_edge_refuse_what_aws_would(parameter: str, value: str, allowed: bool) -> None:
    assert matches(parameter, value) == allowed


def test_alerts_are_expected_from_tradingviews_addresses() -> None:
    default = template()["Parameters"]["AlertSenders"]["Default"]
    assert matches("AlertSenders", default)
    assert set(default.split(",")) == {
        f"{one}/32" for one in ("52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7")
    }


def test_accesses_are_logged_as_json_without_what_callers_send() -> None:
    (stage,) = of_type("AWS::ApiGateway::Stage").values()
    condition, logs, none = stage["AccessLogSetting"]["Fn::If"]
    assert (condition, none) == ("HasApiAccessLogs", {"Ref": "AWS::NoValue"})
    # The documented form: an ARN that ends in `:*` is another one.
    assert logs["DestinationArn"]["Fn::Sub"].endswith(":log-group:${ApiAccessLogGroup}")
    fields = json.loads(logs["Format"])
    assert fields["request_id"] == "$context.requestId"
    for name, variable in fields.items():
        # One variable each, in quotes: one that is missing is written as `-`, which is no JSON by itself.
        assert re.fullmatch(r"\$context\.[A-Za-z.]+", variable), name
        assert not re.search(r"path$|userAgent|authorizer\.principalId|\.token|querystring|header", variable), name
    group = resources()["ApiAccessLogGroup"]
    assert group["Condition"] == condition
    assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_stacks_do_not_fight_over_the_accounts_one_role_for_gateway_logs() -> None:
    assert of_type("AWS::ApiGateway::Account") == {}
    assert template()["Parameters"]["ApiAccessLogs"]["Default"] == "false"


def test_firewall_of_the_api_is_in_front_of_its_stage() -> None:
    assert template()["Parameters"]["ApiFirewall"]["Default"] == "false"
    names = ("ApiWebAcl", "ApiWebAclAssociation")
    assert {resources()[name]["Condition"] for name in names} == {"HasApiFirewall"}
    (association,) = of_type("AWS::WAFv2::WebACLAssociation").values()
    (stage,) = of_type("AWS::ApiGateway::Stage")
    assert association["ResourceArn"]["Fn::Sub"].endswith(f"::/restapis/${{AdminApi}}/stages/${{{stage}}}")
    (acl,) = of_type("AWS::WAFv2::WebACL").values()
    assert acl["Scope"] == "REGIONAL"
    # CloudFormation refuses a rule with both, and a group of rules with an action of its own.
    for rule in acl["Rules"]:
        is_group = "ManagedRuleGroupStatement" in rule["Statement"]
        assert ("OverrideAction" in rule, "Action" in rule) == (is_group, not is_group), rule["Name"]
    assert len({rule["Priority"] for rule in acl["Rules"]}) == len(acl["Rules"])


def test_domain_of_the_api_leads_to_its_stage() -> None:
    domain, mapping, record = (resources()[name] for name in ("ApiDomain", "ApiDomainMapping", "ApiDomainRecord"))
    assert (domain["Condition"], mapping["Condition"], record["Condition"]) == (
        "HasApiDomain",
        "HasApiDomain",
        "HasApiRecord",
    )
    assert domain["Properties"]["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    assert domain["Properties"]["RegionalCertificateArn"] == {"Ref": "ApiCertificateArn"}
    (stage,) = of_type("AWS::ApiGateway::Stage")
    assert (mapping["Properties"]["RestApiId"], mapping["Properties"]["Stage"]) == ({"Ref": "AdminApi"}, {"Ref": stage})
    target = record["Properties"]["AliasTarget"]
    assert target["DNSName"] == {"Fn::GetAtt": ["ApiDomain", "RegionalDomainName"]}
    condition, by_domain, _ = template()["Outputs"]["ApiUrl"]["Value"]["Fn::If"]
    assert (condition, by_domain) == ("HasApiDomain", {"Fn::Sub": "https://${ApiDomainName}"})
    assert template()["Conditions"]["HasApiRecord"] == {
        "Fn::And": [{"Condition": "HasApiDomain"}, is_not_empty("HostedZoneId")]
    }


def test_domain_of_the_api_needs_a_certificate_and_a_name_of_its_own() -> None:
    assert assertions("ApiDomainHasACertificate") == (
        is_not_empty("ApiDomainName"),
        [
            is_not_empty("ApiCertificateArn"),
            {"Fn::Not": [{"Fn::Equals": [{"Ref": "ApiDomainName"}, {"Ref": "WebhookDomainName"}]}]},
        ],
    )


@pytest.mark.parametrize("kind", ["AWS::WAFv2::", "AWS::ApiGateway::DomainName", "AWS::Route53::", "AWS::CloudFront::"])
def test_what_the_embedded_aws_refuses_is_off_by_default(kind: str) -> None:
    found = {name: one.get("Condition") for name, one in resources().items() if one["Type"].startswith(kind)}
    assert None not in found.values(), found
