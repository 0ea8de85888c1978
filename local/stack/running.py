"""Starts a local stack part by part, seeds it, and stops it. Fires no alert."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from local.stack import embedded_aws, private
from local.stack.build import BUILT_TEMPLATE, NameRelease, as_built, build, fingerprint
from local.stack.deploy import (
    ALIAS,
    Deployed,
    client,
    deploy,
    find,
    stripe_webhook_address,
    telegram_webhook_address,
)
from local.stack.lanes import deploy_lanes, names, stack_of
from local.stack.places import LOCAL, STACK_NAME, NotReady, Places, clean_environment
from local.stack.processes import Process, run_tool
from local.telegram.bot import set_webhook

# Without this the demo would show the cold starts of the functions that handle an alert.
_WARMED = (
    *("StrategyWebhookExpressJSv1", "TriggerFanout", *["OrderExecutor"] * 3, "PositionWatcher"),
    *("TelegramWebhook", "TradeNotifier", "NoticeSender", "BalanceRecorder", "ReportSender"),
    *("StripeWebhook", "SubscriptionRecorder"),
)

_KEPT = ("aws", "s3", "exchange.json", "seed.json", "build.sha256")
"""What is kept in STATE."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Running:
    """A running stack: what was deployed and seeded."""

    places: Places
    deployed: Deployed
    seed_file: Path
    restored: bool
    """Whether the data is an earlier run's."""
    aws_pid: int
    """The process of the embedded AWS, the parent of all workers."""

    @property
    def seeded(self) -> dict[str, Any]:
        """The output of `local.seed`."""
        seeded: dict[str, Any] = json.loads(self.seed_file.read_text(encoding="utf-8"))
        return seeded

    def add_strategy(self, name: str, symbol: str, followers: int) -> dict[str, Any]:
        """Seed one more strategy with its own followers, and return it as `local.seed` writes it."""
        seeded: dict[str, Any] = self._add(name, symbol, followers)
        return seeded

    def add_strategies(self, name: str, symbol: str, followers: int, *, count: int) -> list[dict[str, Any]]:
        """Seed `count` more strategies, each with its own followers."""
        seeded: list[dict[str, Any]] = self._add(name, symbol, followers, "--count", str(count))
        return seeded

    def _add(self, name: str, symbol: str, followers: int, *more: str) -> Any:
        file = self.places.work / f"seed-{name}.json"
        run_tool(
            "Seeding",
            [
                *(sys.executable, "-m", "local.seed", str(file), "--add", name),
                *("--symbol", symbol, "--followers", str(followers)),
                *more,
            ],
            environment=self.deployed.environment(self.places),
            log=self.places.logs / f"seed-{name}.log",
        )
        return json.loads(file.read_text(encoding="utf-8"))

    def session(self) -> dict[str, Any]:
        """Return the addresses and secrets that a user, a test or a script needs."""
        seeded = self.seeded
        return {
            "api": self.places.api_url,
            "webhook": self.places.webhook_url,
            "exchange": self.places.exchange_url,
            "stripe": self.places.stripe_url,
            "stripeWebhook": stripe_webhook_address(self.places),
            "telegram": self.places.telegram_url,
            "telegramWebhook": telegram_webhook_address(self.places),
            "aws": self.places.aws_url,
            "awsAccessKeyId": self.places.aws_key.id,
            "awsSecretAccessKey": self.places.aws_key.secret,
            "adminToken": seeded["admin_token"],
            "userToken": seeded["user_token"],
            "cognito": {
                "userPoolId": self.deployed.outputs["UserPoolId"],
                "clientId": self.deployed.outputs["UserPoolClientId"],
            },
            "strategyId": seeded["strategy_id"],
            "webhookSecret": seeded["webhook_secret"],
        }


class LocalStack:
    """The processes of one stack."""

    def __init__(
        self,
        places: Places,
        *,
        followers: int,
        report: Report,
        lanes: int = 1,
        parameters: Mapping[str, str] | None = None,
        name_release: NameRelease = as_built,
    ) -> None:
        self._places = places
        self._parameters = dict(parameters or {})
        self._followers = followers
        self._lanes = lanes
        self._report = report
        self._name_release = name_release
        self._processes: list[Process] = []
        self._aws_pid = 0
        self._locks: list[IO[bytes]] = []

    def start(self) -> Running:
        """Start and seed everything; raise NotReady with what to do if that is not possible."""
        self._claim()
        with self._step("Building the functions and layers") as step:
            if not build():
                step.remark = "unchanged"
        with self._step("Starting the embedded AWS and the paper exchange"):
            self._start_servers()
        with self._step("Deploying template.yaml") as step:
            deployed = self._deploy(step)
        if self._lanes > 1:
            with self._step(f"Deploying lane.yaml for {self._lanes - 1} more egress lane(s)"):
                deploy_lanes(self._places, self._lanes, name_release=self._name_release)
        seed_file = (self._places.state or self._places.work) / "seed.json"
        self._start_proxy(deployed, seed_file)
        set_webhook(self._places.telegram_url, telegram_webhook_address(self._places))
        with self._step(f"Seeding the demo: {self._followers} followers") as step, ThreadPoolExecutor() as pool:
            further = [stack_of(STACK_NAME, lane) for lane in names(self._lanes)[1:]]
            warm = [pool.submit(self._warm, name) for name in _WARMED]
            warm += [pool.submit(self._warm, "OrderExecutor", stack=stack) for stack in further for _ in range(3)]
            restored = self._places.state is not None and seed_file.exists()
            if restored:
                step.remark = "kept"
            self._seed(deployed, seed_file, restored=restored)
            for one in warm:
                one.result()
        return Running(self._places, deployed, seed_file, restored, self._aws_pid)

    def ended_process(self) -> Process | None:
        """Return a process that has ended by itself, or None."""
        return next((process for process in self._processes if not process.running), None)

    def stop(self) -> None:
        """Stop every process, the last started first; kept data is saved now."""
        while self._processes:
            self._processes.pop().stop()
        if not self._locks:
            return  # what lies in the places is another stack's
        shutil.rmtree(self._places.temporary, ignore_errors=True)
        self._release()

    def _claim(self) -> None:
        """Make ports, directories and data this stack's; raise NotReady, with nothing touched, if another has them."""
        self._places.ports.check_free()
        try:
            self._lock_directories()
        except OSError as error:
            self._release()
            raise NotReady(f"{error.filename} cannot be used: {error.strerror}") from error
        except NotReady:
            self._release()
            raise
        if self._places.state is not None:
            for kept in _KEPT:
                private.close_to_others(self._places.state / kept)
        self._places.session_file.unlink(missing_ok=True)

    def _lock_directories(self) -> None:
        port, state = self._places.ports.api, self._places.state
        for directory in (LOCAL, self._places.work):
            private.make_directory(directory)
        self._lock(self._places.work, f"a stack is running on port {port}: stop it, or choose another with PORT=n")
        if state is not None:
            if not state.exists():
                private.make_directory(state)
            self._lock(state, f"a running stack keeps its data in {state}: stop it, or choose another STATE=dir")

    def _lock(self, directory: Path, reason: str) -> None:
        held = private.lock(directory / "lock")
        if held is None:
            raise NotReady(reason)
        self._locks.append(held)

    def _release(self) -> None:
        while self._locks:
            self._locks.pop().close()

    def _start_servers(self) -> None:
        exchange = Process(
            "The paper exchange",
            [
                sys.executable,
                "-m",
                "local.paper_exchange",
                "--port",
                str(self._places.ports.exchange),
                "--full-listing",
                *self._state_options(),
            ],
            environment=clean_environment(),
            log=self._places.logs / "exchange.log",
        )
        self._processes.append(exchange)
        stripe = Process(
            "The stand-in for Stripe",
            [
                *(sys.executable, "-m", "local.stripe", "--port", str(self._places.ports.stripe)),
                *("--webhook", stripe_webhook_address(self._places)),
            ],
            environment=clean_environment(),
            log=self._places.logs / "stripe.log",
        )
        self._processes.append(stripe)
        telegram = Process(
            "The stand-in for Telegram",
            [sys.executable, "-m", "local.telegram", "--port", str(self._places.ports.telegram)],
            environment=clean_environment(),
            log=self._places.logs / "telegram.log",
        )
        self._processes.append(telegram)
        aws = embedded_aws.start(self._places)
        self._processes.append(aws)
        self._aws_pid = aws.pid
        embedded_aws.wait(aws, self._places)
        exchange.wait_until_it_answers(f"{self._places.exchange_url}/fapi/v1/ping", timeout_s=20)
        stripe.wait_until_it_answers(f"{self._places.stripe_url}/stand-in/requests", timeout_s=20)
        telegram.wait_until_it_answers(f"{self._places.telegram_url}/stand-in/messages", timeout_s=20)

    def _state_options(self) -> list[str]:
        """Return the options that make the paper exchange keep its books over a restart."""
        state = self._places.state
        return ["--state", str(state / "exchange.json")] if state is not None else []

    def _deploy(self, step: Step) -> Deployed:
        stamp = self._places.state / "build.sha256" if self._places.state else None
        wanted = fingerprint()  # before the deployment: a file may change while it goes on
        found = find(self._places) if stamp else None
        if stamp and found and stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
            step.remark = "kept"
            return found
        if found:
            step.remark = "kept, brought up to date"
        with self._name_release(BUILT_TEMPLATE, self._places) as template:
            deployed = deploy(self._places, template, **self._parameters)
        if stamp:
            with private.open_file(stamp) as file:
                file.write(wanted.encode())
        return deployed

    def _start_proxy(self, deployed: Deployed, seed_file: Path) -> None:
        ports, aws = self._places.ports, self._places.aws_url
        options = [
            *("--api", f"{ports.api}={aws}{deployed.api_base}"),
            *("--webhook", f"{ports.webhook}={aws}{deployed.webhook_base}"),
            *("--seed-file", str(seed_file)),
        ]
        for path, base in deployed.bases_beside_webhook.items():
            options += ["--beside-webhook", f"{path}={aws}{base}"]
        proxy = Process(
            "The proxy",
            [sys.executable, "-m", "local.stack.proxy", *options],
            environment=clean_environment(),
            log=self._places.logs / "proxy.log",
        )
        self._processes.append(proxy)
        proxy.wait_until_it_answers(f"{self._places.api_url}/", timeout_s=20)

    def _seed(self, deployed: Deployed, file: Path, *, restored: bool) -> None:
        command = [sys.executable, "-m", "local.seed", str(file), "--followers", str(self._followers)]
        if restored:
            command.append("--restore")
        run_tool(
            "Seeding",
            command,
            environment=deployed.environment(self._places),
            log=self._places.logs / "seed.log",
        )

    def _warm(self, logical_id: str, *, stack: str = STACK_NAME) -> None:
        cloudformation = client("cloudformation", self._places)
        found = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        name = found["StackResourceDetail"]["PhysicalResourceId"]
        answer = client("lambda", self._places).invoke(FunctionName=name, Qualifier=ALIAS, Payload=b'{"Records": []}')
        if "FunctionError" in answer:
            reason = json.loads(answer["Payload"].read() or b"{}").get("errorMessage", "no reason given")
            raise NotReady(f"{logical_id} does not start: {reason}")

    @contextmanager
    def _step(self, title: str) -> Iterator[Step]:
        step, started = Step(), time.monotonic()
        yield step
        remark = f", {step.remark}" if step.remark else ""
        self._report(f"  {title} … {time.monotonic() - started:.1f} s{remark}")


class Step:
    """One line of progress."""

    remark = ""


@contextmanager
def session_file(running: Running) -> Iterator[Path]:
    """Write the session's file while the stack is ready; it holds tokens and keys, so only the user may read it."""
    path = running.places.session_file
    write_session(running, path.with_suffix(".draft")).replace(path)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def write_session(running: Running, path: Path) -> Path:
    """Write the session into a file that only the user may read, and return the file."""
    with private.open_file(path) as file:
        file.write(json.dumps(running.session(), indent=2).encode() + b"\n")
    return path
