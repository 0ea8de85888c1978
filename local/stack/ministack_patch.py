"""Patches MiniStack 1.5.33 in fourteen places where it is too slow or differs from AWS.

1. It runs one batch of a FIFO queue at a time, however many groups wait, where AWS runs them concurrently. Its queues
   block a group while one of its messages is in flight (which a test of ours checks), so batches may overlap.
2. Each worker unpacks its own copy of the layers. Here all share one copy, byte code included.
3. With `AUTH=true` it requires `sqs:SendMessageBatch` and `sqs:ChangeMessageVisibilityBatch`, which do not exist; AWS
   requires the permissions of the single actions.
4. It lacks Cognito's AdminDeleteSoftwareToken, which is newer.
5. It stores a queue's `MaximumConcurrency` as CloudFormation's text, and fails when it compares it with a number.
6. With `AUTH=true` it requires rights on every resource to send by SES; AWS requires them on the sender's identity.
7. It polls no queue while a function processes a batch of a table's stream. Here streams have a thread of their own.
8. With `AUTH=true` it parses the caller's policies with each request, and collects them for each item of a transaction.
   Here each text is parsed once, and each request collects them once.
9. All functions share this machine's cores, where on AWS each has its own. Here functions behind queues, streams and
   schedules run at a lower priority than those that answer HTTP, where a client waits.
10. It delays the answer of a function that logs nothing by 50 ms, and polls for lines every millisecond. Lines logged
   before the answer are in the pipe by then, so an empty pipe is the end of them. Its reader may hold lines on their
   way from the pipe to the queue, which would then go to the next request; here they move under a lock.
11. It checks no signature of the owner's own access key. Here it does, as it does for the keys of roles.
12. The keys of a function's role follow from the function's name, so anybody can work them out. Here they depend on the
   run's secret too.
13. It lacks KMS's ReEncrypt.
14. It looks for sessions that have expired while other threads begin one, which fails the calls of functions that
   start at once. Here one begins after the other.

Each patch goes when a release makes it needless. No other version is patched.
"""

from __future__ import annotations

import array
import fcntl
import hashlib
import hmac
import json
import os
import queue
import select
import shutil
import tempfile
import termios
import threading
import time
import zipfile
from contextvars import ContextVar
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

VERSION = "1.5.33"

_BATCHES = {"sqs:SendMessageBatch", "sqs:ChangeMessageVisibilityBatch", "sqs:DeleteMessageBatch"}

_FIFO_BATCHES = 4
"""Concurrent batches of one FIFO queue, of at most ten groups each: more would only wait for the CPU."""

_HTTP_FUNCTIONS = ("Express", "Webhook")
"""Parts of the names of functions that answer HTTP."""
_LOG_TIMEOUT_S, _LOG_PAUSE_S = 0.25, 0.005
"""How long an answer waits for the lines logged before it at most, and for each further line."""
_moving_lines = threading.Lock()
"""Held while lines move from a worker's pipe to its queue, so that whoever holds it finds them in one of the two."""
_CHUNK = 65_536
_NICENESS, _MAX_NICENESS = 10, 19
"""The niceness of the other functions above this process's own, and the highest one."""


def apply(version: str) -> bool:
    """Patch MiniStack in this process; return False for a version that the patches were not made for."""
    if version != VERSION:
        return False
    from ministack.core import iam_actions, iam_evaluator, lambda_runtime  # noqa: PLC0415 - importable only where it is launched
    from ministack.services import cognito, kms, lambda_svc, sts  # noqa: PLC0415

    lambda_svc._sqs_esm_concurrency = _with_overlapping_fifo_batches(lambda_svc._sqs_esm_concurrency)
    lambda_runtime.zipfile = SimpleNamespace(**vars(zipfile) | {"ZipFile": _SharedLayerZip})
    iam_actions.extract_iam_action = _with_real_permissions(iam_actions.extract_iam_action)
    iam_actions._ses_v2_resource_arn = _with_sender_identities(iam_actions._ses_v2_resource_arn)
    lambda_svc._poll_dynamodb_streams = _in_a_thread(lambda_svc._poll_dynamodb_streams)
    iam_evaluator.parse_policy_document = _parsed_once(iam_evaluator.parse_policy_document)
    iam_evaluator.pin_request_caller, iam_evaluator.resolve_principal = _collected_once(iam_evaluator)
    lambda_runtime.Worker._read_stderr = _queue_log_lines
    lambda_runtime.Worker._drain_stderr_bounded = _read_log_lines
    lambda_runtime.Worker._spawn = _with_lower_priority(lambda_runtime.Worker._spawn)
    iam_evaluator._is_root_key = _with_own_key_checked(iam_evaluator.is_root_access_key)
    lambda_runtime.execution_credentials = lambda_svc.execution_credentials = _with_secret_keys(sts)
    sts.register_session = _one_after_the_other(sts.register_session)
    kms.handle_request = _with_reencryption(kms, kms.handle_request)
    cognito._dispatch_idp = _with_software_tokens_deleted(cognito, cognito._dispatch_idp)
    return True


def _with_overlapping_fifo_batches(original: Any) -> Any:
    def concurrency(esm: dict[str, Any], func_rec: Any, config: Any, queue: dict[str, Any] | None = None) -> int:
        if (queue or {}).get("is_fifo"):
            limit = (esm.get("ScalingConfig") or {}).get("MaximumConcurrency") or _FIFO_BATCHES
            return min(int(limit), _FIFO_BATCHES)
        return int(original(esm, func_rec, config, queue))

    return concurrency


def _with_own_key_checked(is_root: Any) -> Any:
    """Return what tells whose signature is not checked; `is_root` still tells whose rights are not."""
    own = os.environ["AWS_ACCESS_KEY_ID"]
    return lambda access_key_id: access_key_id != own and is_root(access_key_id)


def _one_after_the_other(original: Any) -> Any:
    lock = threading.Lock()

    def call(*arguments: Any) -> Any:
        with lock:
            return original(*arguments)

    return call


def _with_secret_keys(sts: Any) -> Any:
    secret = os.environ["AWS_SECRET_ACCESS_KEY"].encode()

    def credentials(config: dict[str, Any]) -> dict[str, str]:
        function, role = config["FunctionArn"], config.get("Role", "")

        def derived(what: str) -> str:
            return hmac.digest(secret, f"{what}:{function}:{role}".encode(), "sha256").hex()

        key, role_name, name = f"ASIA{derived('key')[:16].upper()}", role.rsplit("/", 1)[-1], config["FunctionName"]
        session = {
            "Arn": f"arn:aws:sts::{function.split(':')[4]}:assumed-role/{role_name}/{name[:64]}",
            "UserId": f"{role_name}:{name[:64]}",
            "SecretAccessKey": derived("secret"),
            "SessionToken": derived("token"),
        }
        sts.register_session(key, session)
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
        }

    return credentials


def _parsed_once(original: Any) -> Any:
    # The callers only read the result.
    of_text = lru_cache(maxsize=1000)(original)

    def parse(document: Any) -> Any:
        return of_text(document) if isinstance(document, str) else original(document)

    return parse


def _collected_once(iam_evaluator: Any) -> tuple[Any, Any]:
    """Return `pin_request_caller`, which begins a request, and a `resolve_principal` that caches within a request."""
    pin, resolve = iam_evaluator.pin_request_caller, iam_evaluator.resolve_principal
    # Each request is served by a task with its own context.
    in_request: ContextVar[dict[tuple[str, str], Any] | None] = ContextVar("in_request", default=None)

    def pin_request_caller(*arguments: Any, **named: Any) -> None:
        in_request.set({})
        pin(*arguments, **named)

    def resolve_principal(access_key_id: str, account_id: str, credential: Any = None) -> Any:
        known = in_request.get()
        if known is None:
            return resolve(access_key_id, account_id, credential)
        key = (access_key_id, account_id)
        if key not in known:
            known[key] = resolve(access_key_id, account_id, credential)
        return known[key]

    return pin_request_caller, resolve_principal


def _queue_log_lines(worker: Any) -> None:
    """Move what a worker logs from its pipe to its queue, line by line, until the pipe ends."""
    pipe, lines = worker._proc.stderr.fileno(), worker._stderr_queue
    ready, rest = select.poll(), b""
    ready.register(pipe, select.POLLIN)
    try:
        while ready.poll():
            with _moving_lines:
                chunk = os.read(pipe, _CHUNK)
                *whole, rest = (rest + chunk).split(b"\n")
                if rest and not chunk:
                    whole.append(rest)  # the end of the pipe ends the last line too
                for line in whole:
                    lines.put(line.decode(errors="replace"))
            if not chunk:
                return
    except OSError:
        return  # the worker is being stopped


def _read_log_lines(worker: Any) -> str:
    lines = []
    ends_at_s = time.monotonic() + _LOG_TIMEOUT_S
    while time.monotonic() < ends_at_s:
        try:
            lines.append(worker._stderr_queue.get(timeout=_LOG_PAUSE_S))
        except queue.Empty:
            with _moving_lines:
                if worker._stderr_queue.empty() and not _is_logging(worker):
                    break
    return "\n".join(lines)


def _is_logging(worker: Any) -> bool:
    """Return whether lines of a worker are not in its queue yet."""
    if not worker._stderr_thread.is_alive():
        return False
    process = worker._proc
    if process is None:
        return True  # it failed and was stopped: its pipe is read to the end
    held = array.array("i", [0])
    try:
        fcntl.ioctl(process.stderr, termios.FIONREAD, held)
    except (OSError, ValueError):
        return False  # it is being stopped
    return held[0] > 0


def _with_lower_priority(original: Any) -> Any:
    def spawn(worker: Any) -> None:
        original(worker)
        if not any(word in worker.func_name for word in _HTTP_FUNCTIONS):
            mine = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, worker._proc.pid, min(mine + _NICENESS, _MAX_NICENESS))

    return spawn


def _with_sender_identities(original: Any) -> Any:
    def resource(method: str, path: str, body: bytes, region: str, account_id: str) -> str:
        if path.rstrip("/") == "/v2/email/outbound-emails":
            return f"arn:aws:ses:{region}:{account_id}:identity/{json.loads(body).get('FromEmailAddress', '')}"
        found: str = original(method, path, body, region, account_id)
        return found

    return resource


def _in_a_thread(original: Any) -> Any:
    busy = threading.Lock()

    def work() -> None:
        try:
            while original():
                pass
        finally:
            busy.release()

    def poll() -> bool:
        if busy.acquire(blocking=False):
            threading.Thread(target=work, name="streams", daemon=True).start()
        return False

    return poll


def _with_real_permissions(original: Any) -> Any:
    def action(*arguments: Any, **named: Any) -> str | None:
        found: str | None = original(*arguments, **named)
        return found.removesuffix("Batch") if found in _BATCHES else found

    return action


def _with_software_tokens_deleted(cognito: Any, original: Any) -> Any:
    async def dispatch(action: str, data: dict[str, Any]) -> Any:
        if action != "AdminDeleteSoftwareToken":
            return await original(action, data)
        pool, error = cognito._resolve_pool(data.get("UserPoolId"))
        if error:
            return error
        user, error = cognito._resolve_user(pool, data.get("Username"))
        if error:
            return error
        user.pop("_totp_secret", None)
        cognito._apply_mfa_preference(user, {"SoftwareTokenMfaSettings": {"Enabled": False}})
        return cognito.json_response({})

    return dispatch


def _with_reencryption(kms: Any, original: Any) -> Any:
    async def handle(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
        if headers.get("x-amz-target", "") != "TrentService.ReEncrypt":
            return await original(method, path, headers, body, query_params)
        data = json.loads(body)
        source = {
            "CiphertextBlob": data["CiphertextBlob"],
            "EncryptionContext": data.get("SourceEncryptionContext", {}),
        }
        if "SourceKeyId" in data:
            source["KeyId"] = data["SourceKeyId"]
        opened = kms._decrypt(source)
        if opened[0] != HTTPStatus.OK:
            return opened
        found = json.loads(opened[2])
        sealed = {
            "KeyId": data["DestinationKeyId"],
            "Plaintext": found["Plaintext"],
            "EncryptionContext": data.get("DestinationEncryptionContext", {}),
        }
        status, answered, content = kms._encrypt(sealed)
        if status == HTTPStatus.OK:
            content = json.dumps(json.loads(content) | {"SourceKeyId": found["KeyId"]}).encode()
        return status, answered, content

    return handle


class _SharedLayerZip(zipfile.ZipFile):
    """A zip file that unpacks layers (`…/layer_0`) into one directory per content, and links to it."""

    _unpacking = threading.Lock()

    def namelist(self) -> list[str]:
        # Called for layers only, to check for entries outside the directory; ours come from our own build.
        return []

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        target = Path(path)
        if not target.name.startswith("layer_"):
            super().extractall(path, members or self.infolist(), pwd)
            return
        target.rmdir()
        target.symlink_to(self._unpacked(), target_is_directory=True)

    def _unpacked(self) -> Path:
        digest = hashlib.sha256()
        for entry in self.infolist():
            digest.update(f"{entry.filename}\0{entry.CRC}\0{entry.file_size}\n".encode())
        home = Path(tempfile.gettempdir()) / "layers" / digest.hexdigest()[:32]
        with self._unpacking:
            if not home.exists():
                draft = home.with_suffix(f".{os.getpid()}")
                shutil.rmtree(draft, ignore_errors=True)
                draft.mkdir(parents=True)
                super().extractall(draft, self.infolist())
                draft.rename(home)
        return home
