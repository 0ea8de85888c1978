"""Completes the embedded AWS's checks of rights, and records which rights each function uses and lacks.

By itself MiniStack knows no encryption context, takes a key's alias for another key, tells a policy the session of a
role where AWS tells the role, and takes messages and changes for a function whatever its role may do.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_CONTEXT = "kms:EncryptionContext:"
_ENCRYPTING = {"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"}
_POLLED = {
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "dynamodb": ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
}
"""What Lambda needs of a function's role to take messages from a queue, or changes from a table's stream."""
_REMEMBERED_S = 0.5
"""How long a poller relies on what it found a role may do: it looks many times a second."""


class Record:
    """What roles have used and were denied: a line of JSON for each use that is new, and for each denial."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()
        path.write_text("", encoding="ascii")

    def add(self, principal: str, action: str, resource: str, *, kind: str | None, allowed: bool) -> None:
        """Add a check of a role's rights; `principal` is the ARN of its session."""
        role, function = principal.split(":assumed-role/", 1)[1].split("/", 1)
        line = {"role": role, "function": function, "action": action, "resource": resource, "allowed": allowed}
        if kind is not None:
            line["kind"] = kind
        with self._lock:
            if allowed:
                entry = tuple(map(str, line.values()))
                if entry in self._known:
                    return
                self._known.add(entry)
            with self._path.open("a", encoding="ascii") as file:
                file.write(json.dumps(line) + "\n")


def apply(record: Record) -> None:
    """Patch the MiniStack of this process."""
    from ministack.core import iam_actions, iam_evaluator  # noqa: PLC0415 - importable only where it is launched
    from ministack.services import kms, lambda_svc, sts  # noqa: PLC0415

    iam_actions.extract_resource_arn = _with_keys_for_aliases(iam_actions.extract_resource_arn, kms)
    iam_actions.request_tag_context = _with_encryption_context(iam_actions.request_tag_context)
    iam_evaluator._resolve_condition_key = _with_roles_as_principals(iam_evaluator._resolve_condition_key)
    iam_evaluator.enforce = _recorded(iam_evaluator.enforce, iam_evaluator, sts, record)
    lambda_svc._iter_all_esms = _of_roles_that_may_poll(lambda_svc, iam_evaluator, record)


def _with_keys_for_aliases(original: Any, kms: Any) -> Any:
    def resource(*arguments: Any) -> str:
        found: str = original(*arguments)
        key = kms._resolve_key(found) if ":kms:" in found and ":alias/" in found else None
        return key["Arn"] if key else found

    return resource


def _with_encryption_context(original: Any) -> Any:
    def context(service: str, iam_action: str, body: bytes, params: Any) -> dict[str, Any]:
        found: dict[str, Any] = original(service, iam_action, body, params)
        if iam_action not in _ENCRYPTING:
            return found
        try:
            given = json.loads(body or b"{}").get("EncryptionContext") or {}
        except ValueError:
            given = {}
        return found | {_CONTEXT + name: value for name, value in given.items()}

    return context


def _with_roles_as_principals(original: Any) -> Any:
    def value(key: str, context: Any) -> Any:
        found = original(key, context)
        if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(found):
            return found
        account, role = found.split(":")[4], found.split("/")[1]
        return f"arn:aws:iam::{account}:role/{role}"

    return value


def _recorded(original: Any, evaluator: Any, sts: Any, record: Record) -> Any:
    def enforce(access_key_id: str, iam_action: str, service: str, region: str, **named: Any) -> Any:
        refusal = original(access_key_id, iam_action, service, region, **named)
        principal = (sts._sessions.get(access_key_id) or {}).get("Arn", "")
        # A request whose signature fails was never judged by a role.
        if ":assumed-role/" in principal and not isinstance(refusal, evaluator.AuthError):
            kind = (named.get("service_context") or {}).get(_CONTEXT + "kind")
            resource = named.get("resource_arn", "*")
            record.add(principal, iam_action, resource, kind=kind, allowed=refusal is None)
        return refusal

    return enforce


def _of_roles_that_may_poll(lambda_svc: Any, evaluator: Any, record: Record) -> Any:
    original = lambda_svc._iter_all_esms
    found: dict[str, tuple[float, bool]] = {}

    def may_poll(account: str, region: str, mapping: dict[str, Any]) -> bool:
        source, function = mapping.get("EventSourceArn", ""), mapping["FunctionArn"]
        known = found.get(mapping["UUID"])
        if known is not None and known[0] > time.monotonic():
            return known[1]
        role = _role_of(lambda_svc, account, region, mapping)
        allowed = True
        if role:
            name = role.rsplit("/", 1)[-1]
            principal = f"arn:aws:sts::{account}:assumed-role/{name}/{function.split(':')[6]}"
            policies = evaluator._gather_role_policies(name, account)
            for action in _POLLED.get(source.split(":")[2], ()):
                context = evaluator.EvalContext(
                    principal_arn=principal,
                    principal_type="AssumedRole",
                    principal_account=account,
                    action=action,
                    resource_arn=source,
                    region=region,
                )
                granted = evaluator.evaluate(context, policies).decision == "Allow"
                record.add(principal, action, source, kind=None, allowed=granted)
                allowed = allowed and granted
        found[mapping["UUID"]] = (time.monotonic() + _REMEMBERED_S, allowed)
        return allowed

    def mappings() -> Iterator[tuple[str, str, dict[str, Any]]]:
        for account, region, mapping in original():
            if may_poll(account, region, mapping):
                yield account, region, mapping

    return mappings


def _role_of(lambda_svc: Any, account: str, region: str, mapping: dict[str, Any]) -> str:
    """Return the ARN of the role of a mapping's function, or "" while the function is not there."""
    account_token, region_token = lambda_svc._request_account_id.set(account), lambda_svc._request_region.set(region)
    try:
        function, config = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    finally:
        lambda_svc._request_account_id.reset(account_token)
        lambda_svc._request_region.reset(region_token)
    return str((config or (function or {}).get("config") or {}).get("Role", ""))
