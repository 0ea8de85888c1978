"""The declarations of template.yaml, compared with the models, the documented routes, the settings and the handlers."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from local.stack.deploy import gateway_responses, read_template, variable_of
from local.stack.places import ROOT
from shared.models.base import Table
from shared.models.exchange_key import LISTED_SHARDS, ApiKeyStatus
from shared.queues import Queue
from shared.secrets import SecretKind
from shared.trading.execution import ENDED, ExecutionState
from tests.unit.documented_routes import ACCOUNT, DOCUMENTED, OWN, WEBHOOK

TEMPLATE = read_template()
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]

PUBLIC = {"StrategyWebhookExpressJSv1", "StripeWebhook", "TelegramWebhook", "ReportUnsubscribe"}

ADMIN = (DOCUMENTED | OWN) - {WEBHOOK}
ROUTES = ADMIN | ACCOUNT


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == kind}


FUNCTIONS = of_type("AWS::Serverless::Function")
QUEUES = of_type("AWS::SQS::Queue")
TABLES = of_type("AWS::DynamoDB::Table")


def statements(function: str) -> list[dict[str, Any]]:
    (policy,) = RESOURCES[f"{function}Role"]["Properties"]["Policies"]
    return [*map(as_if_it_held, policy["PolicyDocument"]["Statement"]), *rights_on_keys(function)]


def as_if_it_held(statement: dict[str, Any]) -> dict[str, Any]:
    """Return a statement that depends on a condition of the template as if that held."""
    found: dict[str, Any] = statement["Fn::If"][1] if "Fn::If" in statement else statement
    return found


def rights_on_keys(function: str) -> list[dict[str, Any]]:
    """Return what the policies of KMS keys let a function do, as statements of its role would."""
    role = {"Fn::GetAtt": [f"{function}Role", "Arn"]}
    return [
        statement | {"Action": [statement["Action"]], "Resource": [{"Fn::GetAtt": [key, "Arn"]}]}
        for key, properties in of_type("AWS::KMS::Key").items()
        for statement in map(as_if_it_held, properties["KeyPolicy"]["Statement"])
        if isinstance(named := statement["Principal"].get("AWS"), list) and role in named
    ]


def functions_that_may(action: str) -> set[str]:
    return {name for name in FUNCTIONS for statement in statements(name) if action in statement["Action"]}


def events(function: str, kind: str) -> Iterator[dict[str, Any]]:
    for event in FUNCTIONS[function].get("Events", {}).values():
        if event["Type"] == kind:
            yield event["Properties"]


def folder_of(function: str) -> str:
    return str(FUNCTIONS[function]["CodeUri"]).strip("/")


def noun_of(model: type[Table]) -> str:
    name: str = model.Meta.table_name
    return name.split("-", 1)[1]


def table_of_model(model: type[Table]) -> dict[str, Any]:
    schema = model._get_schema()
    return {
        "attributes": {(one["AttributeName"], one["AttributeType"]) for one in schema["attribute_definitions"]},
        "key": {(one["AttributeName"], one["KeyType"]) for one in schema["key_schema"]},
        "indexes": {
            index["index_name"]: (
                {(one["AttributeName"], one["KeyType"]) for one in index["key_schema"]},
                index["projection"]["ProjectionType"],
                frozenset(index["projection"].get("NonKeyAttributes", [])),
            )
            for index in schema["global_secondary_indexes"]
        },
    }


def table_of_template(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "attributes": {(one["AttributeName"], one["AttributeType"]) for one in properties["AttributeDefinitions"]},
        "key": {(one["AttributeName"], one["KeyType"]) for one in properties["KeySchema"]},
        "indexes": {
            index["IndexName"]: (
                {(one["AttributeName"], one["KeyType"]) for one in index["KeySchema"]},
                index["Projection"]["ProjectionType"],
                frozenset(index["Projection"].get("NonKeyAttributes", [])),
            )
            for index in properties.get("GlobalSecondaryIndexes", [])
        },
    }


def test_tables_keys_indexes_and_projections_are_the_models() -> None:
    declared = {
        properties["TableName"]["Fn::Sub"].removeprefix("${AWS::StackName}-"): table_of_template(properties)
        for properties in TABLES.values()
    }
    modelled = {noun_of(model): table_of_model(model) for model in Table.__subclasses__()}
    assert declared == modelled


def test_tables_whose_records_expire_have_a_time_to_live() -> None:
    expiring = {noun_of(model) for model in Table.__subclasses__() if "expires_at" in model.get_attributes()}
    declared = {
        properties["TableName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        for properties in TABLES.values()
        if properties.get("TimeToLiveSpecification") == {"AttributeName": "expires_at", "Enabled": True}
    }
    # Those leave only where they are exported: test_exports.py.
    assert declared == expiring - {"execution_events"}


@pytest.mark.parametrize("table", sorted(TABLES))
def test_tables_survive_mistakes(table: str) -> None:
    assert RESOURCES[table]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert TABLES[table]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert TABLES[table]["DeletionProtectionEnabled"] == {"Fn::If": ["KeepsData", True, False]}
    assert TABLES[table]["BillingMode"] == "PAY_PER_REQUEST"


def test_routes_are_the_documented_ones_each_in_its_function() -> None:
    declared = [
        (function, event["Method"].upper(), event["Path"])
        for function in FUNCTIONS
        for event in events(function, "Api")
    ]
    assert len(declared) == len(ROUTES)
    assert set(declared) == ROUTES


def test_every_level_of_a_path_has_one_variable_name() -> None:
    names: dict[str, set[str]] = {}
    for _, _, path in ROUTES:
        parts = path.split("/")
        for place, part in enumerate(parts):
            if part.startswith("{"):
                names.setdefault("/".join(parts[:place]), set()).add(part)
    assert {level: found for level, found in names.items() if len(found) > 1} == {}


def test_every_route_has_the_authorizer_of_its_api() -> None:
    assert RESOURCES["AdminApi"]["Properties"]["Auth"]["DefaultAuthorizer"] == "AdminAuthorizer"
    named = {
        (function, event["Method"], event["Path"]): event["Auth"]
        for function in FUNCTIONS
        for event in events(function, "Api")
        if "Auth" in event
    }
    assert named == {route: {"Authorizer": "UserAuthorizer"} for route in ACCOUNT}


def test_the_admins_authorizer_knows_both_pools_and_the_users_one_its_own() -> None:
    authorizers = RESOURCES["AdminApi"]["Properties"]["Auth"]["Authorizers"]
    admins, users = {"Fn::GetAtt": ["AdminPool", "Arn"]}, {"Fn::GetAtt": ["UserPool", "Arn"]}
    assert authorizers == {
        "AdminAuthorizer": {"UserPoolArn": [admins, users]},
        "UserAuthorizer": {"UserPoolArn": users},
    }


def test_nobody_signs_up_among_the_admins() -> None:
    pools = of_type("AWS::Cognito::UserPool")
    assert pools["AdminPool"]["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert "AdminCreateUserConfig" not in pools["UserPool"]
    (group,) = of_type("AWS::Cognito::UserPoolGroup").values()
    assert (group["UserPoolId"], group["GroupName"]) == ({"Ref": "AdminPool"}, "admin")


def test_only_the_webhooks_and_the_page_that_ends_letters_are_public() -> None:
    public = {name for name, function in FUNCTIONS.items() if "FunctionUrlConfig" in function}
    assert public == PUBLIC


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        ("MISSING_AUTHENTICATION_TOKEN", 404, "route not found"),
        ("RESOURCE_NOT_FOUND", 404, "route not found"),
        ("UNAUTHORIZED", 401, "unauthorized"),
        ("EXPIRED_TOKEN", 401, "unauthorized"),
        ("ACCESS_DENIED", 403, "forbidden"),
        ("THROTTLED", 429, "too many requests"),
        ("QUOTA_EXCEEDED", 429, "too many requests"),
        ("DEFAULT_5XX", 500, "internal server error"),
    ],
)
def test_gateway_answers_in_the_documented_shape(kind: str, status: int, message: str) -> None:
    response = gateway_responses()[kind]
    assert response["StatusCode"] == status
    assert response["ResponseTemplates"] == {"application/json": f'{{"message": "{message}"}}'}
    assert response["ResponseParameters"]["Headers"]["X-Request-Id"] == "context.requestId"


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_handlers_exist(function: str) -> None:
    folder = folder_of(function)
    assert FUNCTIONS[function]["Handler"] == f"{folder.replace('/', '.')}.app.lambda_handler"
    assert RESOURCES[function]["Metadata"]["BuildProperties"] == {
        "ParentPackageMode": "explicit",
        "ParentPackages": folder.replace("/", "."),
    }
    tree = ast.parse((ROOT / folder / "app.py").read_text(encoding="utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assigned = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert "lambda_handler" in defined | assigned


def test_every_folder_of_functions_is_deployed() -> None:
    folders = {f"functions/{path.parent.name}" for path in (ROOT / "functions").glob("*/app.py")}
    assert {folder_of(function) for function in FUNCTIONS} >= folders


def test_runtime_exists() -> None:
    known = boto3.client("lambda", region_name="us-east-1").meta.service_model.shape_for("Runtime").enum  # type: ignore[attr-defined]
    assert TEMPLATE["Parameters"]["PythonRuntime"]["Default"] in known


def test_every_setting_that_the_code_reads_is_set() -> None:
    read = set(re.findall(r'env\.get\("(\w+)"', (ROOT / "shared" / "config.py").read_text(encoding="utf-8")))
    read |= {queue.url_variable for queue in Queue}
    everywhere = set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
    of_further_lanes = read_template("lane.yaml")["Resources"]["OrderExecutor"]["Properties"]
    somewhere = {
        name
        for one in (*FUNCTIONS.values(), of_further_lanes)
        for name in one.get("Environment", {}).get("Variables", {})
    }
    given = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"}
    assert everywhere | somewhere == read - given


POOLS = {
    "USER_POOL_ID": {"Ref": "UserPool"},
    "USER_POOL_CLIENT_ID": {"Ref": "UserPoolClient"},
    "ADMIN_POOL_ID": {"Ref": "AdminPool"},
    "ADMIN_POOL_CLIENT_ID": {"Ref": "AdminPoolClient"},
}


def test_functions_of_the_admin_api_know_both_pools_and_those_of_accounts_the_users_alone() -> None:
    for routes, known in ((ADMIN, set(POOLS)), (ACCOUNT, {"USER_POOL_ID", "USER_POOL_CLIENT_ID"})):
        for function in {function for function, _, _ in routes}:
            variables = FUNCTIONS[function]["Environment"]["Variables"]
            assert {name: value for name, value in variables.items() if name in POOLS} == {
                name: POOLS[name] for name in known
            }, function


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_roles_are_of_one_function_and_name_what_they_allow(function: str) -> None:
    assert FUNCTIONS[function]["Role"] == {"Fn::GetAtt": [f"{function}Role", "Arn"]}
    # SAM adds rights only to a role that it makes itself.
    assert "Policies" not in FUNCTIONS[function]
    for statement in statements(function):
        actions, resources = statement["Action"], statement["Resource"]
        assert isinstance(actions, list)
        assert [action for action in actions if "*" in action] == []
        if actions not in (["dynamodb:ListStreams"], ["dynamodb:ListExports"], ["cloudwatch:GetMetricData"]):
            assert all(isinstance(resource, dict) for resource in resources)


def test_no_role_may_scan_a_table() -> None:
    assert functions_that_may("dynamodb:Scan") == set()


def test_only_functions_that_use_the_exchange_open_secrets() -> None:
    with_ccxt = {name for name, one in FUNCTIONS.items() if {"Ref": "ExchangeLayer"} in one.get("Layers", [])}
    assert functions_that_may("kms:Decrypt") <= with_ccxt
    for function in FUNCTIONS:
        for statement in rights_on_keys(function):
            if statement["Action"] != ["kms:GenerateMac"]:
                # Never without an owner.
                assert statement["Condition"]["Null"]["kms:EncryptionContext:owner_id"] == "false"


def kinds_that(action: str) -> dict[str, set[str]]:
    """Return the functions that may do something with secrets, with the kinds of those."""
    return {
        function: {
            statement["Condition"]["StringEquals"]["kms:EncryptionContext:kind"]
            for statement in rights_on_keys(function)
            if statement["Action"] == [action] and "StringEquals" in statement["Condition"]
        }
        for function in functions_that_may(action)
    }


def test_a_function_opens_and_seals_secrets_of_one_kind() -> None:
    opening = kinds_that("kms:Decrypt")
    assert opening.pop("StrategyReporter") == {SecretKind.REPORT_KEY}
    assert all(kinds == {SecretKind.EXCHANGE_KEY} for kinds in opening.values())
    assert kinds_that("kms:Encrypt") == {
        "ExchangeExpressJSv1": {SecretKind.EXCHANGE_KEY},
        "AdminSettingStrategyExpressJSv1": {SecretKind.REPORT_KEY},
    }


def test_secrets_without_a_kind_are_opened_only_while_the_stack_says_that_there_are_some() -> None:
    assert TEMPLATE["Parameters"]["SecretsWithoutKind"]["Default"] == "false"
    statements = of_type("AWS::KMS::Key")["SecretsKey"]["KeyPolicy"]["Statement"]
    dependent = {one["Fn::If"][1]["Sid"]: one["Fn::If"] for one in statements if "Fn::If" in one}
    assert set(dependent) == {"OpenSecretsWithoutKind", "OpenSecretsWithoutKindInLanes", "GiveSecretsTheirKind"}
    for condition, _, otherwise in dependent.values():
        assert (condition, otherwise) == ("KeepsSecretsWithoutKind", {"Ref": "AWS::NoValue"})
    # An administrator may not take a secret out under another key, which could be theirs.
    assert dependent["GiveSecretsTheirKind"][1]["Condition"]["Bool"] == {"kms:ReEncryptOnSameKey": "true"}
    for one in statements:
        if "Fn::If" not in one and one["Action"] in ("kms:Decrypt", "kms:Encrypt"):
            kind = one["Condition"]["StringEquals"]["kms:EncryptionContext:kind"]
            assert kind in set(SecretKind), one["Sid"]


ADMINISTRATION = re.compile(
    r"kms:(Describe|Enable|Disable|Schedule|Cancel|Tag|Untag|Update|(Create|Delete)Alias|List|(Get|Put)KeyPolicy|"
    r"GetKeyRotationStatus)\w*"
)


def test_the_account_manages_keys_and_does_not_use_them() -> None:
    root = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    for key, properties in of_type("AWS::KMS::Key").items():
        for statement in properties["KeyPolicy"]["Statement"]:
            if "Fn::If" not in statement and statement["Principal"] == root and "Condition" not in statement:
                assert all(map(ADMINISTRATION.fullmatch, statement["Action"])), key
                assert "kms:PutKeyPolicy" in statement["Action"], "KMS refuses a key that nobody can manage"


def allowed_on_tables(function: str) -> set[tuple[str, str]]:
    """Return what a function may do, as pairs of action and resource."""
    return {
        (action, resource["Fn::GetAtt"][0])
        for statement in statements(function)
        for action in statement["Action"]
        for resource in statement["Resource"]
        if "Fn::GetAtt" in resource
    }


def test_functions_that_use_a_key_may_record_its_outcome() -> None:
    needed = {
        ("dynamodb:UpdateItem", "ExchangeKeysTable"),
        *((action, "LaneRefusalsTable") for action in ("dynamodb:PutItem", "dynamodb:Query")),
    }
    # A strategy's report key has no record of its own: its refusals are in the record of the strategy's report.
    for function in functions_that_may("kms:Decrypt") - {"StrategyReporter"}:
        assert needed <= allowed_on_tables(function), function


def test_functions_that_ask_the_exchange_may_record_the_lanes_weight_and_halt_it() -> None:
    needed = {
        (action, table)
        for action in ("dynamodb:GetItem", "dynamodb:UpdateItem")
        for table in ("EgressLanesTable", "TradingSwitchesTable")
    }
    with_ccxt = {name for name, one in FUNCTIONS.items() if {"Ref": "ExchangeLayer"} in one.get("Layers", [])}
    assert with_ccxt >= functions_that_may("kms:Decrypt")
    for function in with_ccxt:
        assert needed <= allowed_on_tables(function), function


def test_public_functions_open_no_secret() -> None:
    assert PUBLIC & (functions_that_may("kms:Decrypt") | functions_that_may("kms:Encrypt")) == set()


def test_every_queue_ends_in_dead_letters_after_ten_deliveries() -> None:
    working = {name for name in QUEUES if not name.endswith("DeadLetters")}
    assert working == {queue.resource for queue in Queue}
    for name in working:
        target = QUEUES[name]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        assert QUEUES[name]["RedrivePolicy"]["maxReceiveCount"] == 10
        assert QUEUES[target].get("FifoQueue") == QUEUES[name].get("FifoQueue")


def test_every_queue_has_its_declared_name_variable_and_output() -> None:
    everywhere = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    for queue in Queue:
        of_some = [one["Environment"]["Variables"] for one in FUNCTIONS.values() if "Environment" in one]
        urls = [one[queue.url_variable] for one in [everywhere, *of_some] if queue.url_variable in one]
        assert QUEUES[queue.resource]["QueueName"] == {"Fn::Sub": f"${{AWS::StackName}}-{queue.value}"}
        assert urls
        assert all(url == {"Ref": queue.resource} for url in urls)
        assert TEMPLATE["Outputs"][f"{queue.resource}Url"]["Value"] == {"Ref": queue.resource}
        assert variable_of(f"{queue.resource}Url") == queue.url_variable


def test_fifo_queues_order_by_group_only() -> None:
    fifo = {name: queue for name, queue in QUEUES.items() if queue.get("FifoQueue")}
    assert {queue.resource for queue in Queue if queue.is_fifo} == {name for name in fifo if name.endswith("Queue")}
    for queue in fifo.values():
        assert queue["DeduplicationScope"] == "messageGroup"
        assert queue["FifoThroughputLimit"] == "perMessageGroupId"


@pytest.mark.parametrize(
    ("function", "queue", "batch"),
    [
        ("TriggerFanout", "TriggersQueue", 10),
        ("OrderExecutor", "OrdersQueue", 10),
        ("PositionWatcher", "ReconcileQueue", 10),
        ("KeyInspector", "KeysQueue", 5),
        ("BalanceRecorder", "BalancesQueue", 10),
        ("ManualTradeImporter", "ImportsQueue", 2),
        ("NoticeSender", "NoticesQueue", 10),
        ("SubscriptionRecorder", "StripeEventsQueue", 10),
        ("ReportSender", "ReportsQueue", 10),
        ("StrategyReporter", "StrategyReportsQueue", 2),
    ],
)
def test_consumers_fail_record_by_record_and_well_within_the_visibility(function: str, queue: str, batch: int) -> None:
    (source,) = events(function, "SQS")
    assert source["Queue"] == {"Fn::GetAtt": [queue, "Arn"]}
    assert source["BatchSize"] == batch
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert FUNCTIONS[function]["Timeout"] == (300 if function == "StrategyReporter" else 30)
    assert QUEUES[queue]["VisibilityTimeout"] >= 6 * FUNCTIONS[function]["Timeout"]


def test_changes_of_trades_and_keys_reach_the_notifier_and_failed_ones_the_dead_letters() -> None:
    streams = {stream["Stream"]["Fn::GetAtt"][0]: stream for stream in events("TradeNotifier", "DynamoDB")}
    views = {name: TABLES[name]["StreamSpecification"]["StreamViewType"] for name in streams}
    assert views == {"ExecutionEventsTable": "NEW_IMAGE", "ExchangeKeysTable": "NEW_AND_OLD_IMAGES"}
    for stream in streams.values():
        assert stream["StartingPosition"] == "TRIM_HORIZON"
        assert stream["BisectBatchOnFunctionError"] is True
        assert stream["MaximumRetryAttempts"] == 8
        dead_letters = stream["DestinationConfig"]["OnFailure"]["Destination"]
        assert dead_letters == {"Fn::GetAtt": ["TradeEventsDeadLetters", "Arn"]}
    (pattern,) = streams["ExecutionEventsTable"]["FilterCriteria"]["Filters"]
    states = json.loads(pattern["Pattern"])["dynamodb"]["NewImage"]["state"]["S"]
    # An exit alert that has done its work opened nothing; the position that it closed is told of by its own events.
    assert set(states) == ENDED - {ExecutionState.DONE} | {ExecutionState.PROTECTED}
    (pattern,) = streams["ExchangeKeysTable"]["FilterCriteria"]["Filters"]
    images = json.loads(pattern["Pattern"])["dynamodb"]
    refused = {ApiKeyStatus.UNAUTHORIZED}
    assert set(images["NewImage"]["api_key_status"]["S"]) == refused
    assert set(images["OldImage"]["api_key_status"]["S"]) == set(ApiKeyStatus) - refused


def test_emails_are_sent_by_one_function_from_one_address() -> None:
    assert functions_that_may("ses:SendEmail") == {"NoticeSender"}
    assert functions_that_may("ses:SendRawEmail") == {"NoticeSender"}


def test_public_functions_executor_and_watcher_have_a_reserve_of_their_own() -> None:
    reserved = {name for name, function in FUNCTIONS.items() if "ReservedConcurrentExecutions" in function}
    assert reserved == PUBLIC | {"OrderExecutor", "PositionWatcher"}


def test_watcher_runs_every_minute() -> None:
    assert [event["Schedule"] for event in events("PositionWatcher", "Schedule")] == ["rate(1 minute)"]


def test_inspector_runs_once_inside_each_quarter_of_an_hour_that_has_a_shard_of_keys() -> None:
    assert [event["Schedule"] for event in events("KeyInspector", "Schedule")] == ["cron(5/15 * * * ? *)"]
    assert LISTED_SHARDS == 24 * 60 // 15


@pytest.mark.parametrize(
    ("metric", "dead_letters"), [("ApproximateNumberOfMessagesVisible", True), ("ApproximateAgeOfOldestMessage", False)]
)
def test_every_queue_has_an_alarm(metric: str, *, dead_letters: bool) -> None:
    watched = {
        dimension["Value"]["Fn::GetAtt"][0]
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        if alarm["MetricName"] == metric
        for dimension in alarm["Dimensions"]
    }
    assert watched == {name for name in QUEUES if name.endswith("DeadLetters") == dead_letters}


def test_reports_begin_every_monday_and_every_first_day() -> None:
    schedules = {event["Input"]: event["Schedule"] for event in events("ReportSender", "Schedule")}
    assert {json.loads(event)["report"]: schedule for event, schedule in schedules.items()} == {
        "WEEKLY": "cron(0 6 ? * MON *)",
        "MONTHLY": "cron(0 6 1 * ? *)",
    }


def test_id_tokens_live_fifteen_minutes_on_aws() -> None:
    for client in of_type("AWS::Cognito::UserPoolClient").values():
        assert client["IdTokenValidity"] == {"Ref": "IdTokenMinutes"}
        assert client["TokenValidityUnits"]["IdToken"] == "minutes"
    assert TEMPLATE["Parameters"]["IdTokenMinutes"]["Default"] == 15
