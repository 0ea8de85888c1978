"""Requests that did not come through CloudFront are refused, whatever their headers say."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.api import edge, quick_parameters
from shared.api.function_url import Answer, answer_request
from tests.lambda_context import FakeContext
from tests.unit.in_process_aws import Queues, aws_client
from tests.unit.moved_clock import MovedClock

NAME = "/unit/edge-secret"
NEW, OLD, OLDER = "n" * 43, "o" * 43, "e" * 43

SENDERS = ("52.89.214.238/32", "198.51.100.0/24", "2001:db8::/32")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    clock = MovedClock()
    monkeypatch.setattr(edge, "time", clock)
    monkeypatch.setattr(quick_parameters, "time", clock)
    return clock


def store(*secrets: str) -> None:
    aws_client("ssm").put_parameter(Name=NAME, Type="SecureString", Value=" ".join(secrets), Overwrite=True)


@pytest.fixture(autouse=True)
def behind_cloudfront(aws: Queues, settings_from: Callable[..., None]) -> None:
    store(NEW, OLD)
    settings_from(EDGE_SECRET_PARAMETER=NAME)


def event(**headers: str) -> dict[str, Any]:
    """Return a request with these headers, whose names have `_` for `-`."""
    return {"headers": {name.replace("_", "-"): value for name, value in headers.items()}}


def status_of(request: dict[str, Any]) -> int:
    context: Any = FakeContext()
    status: int = answer_request(request, context, lambda _: Answer(200, {}), failure="failed")["statusCode"]
    return status


@pytest.mark.parametrize("secret", [NEW, OLD])
@pytest.mark.parametrize("name", ["x-edge-secret", "X-Edge-Secret", "X-EDGE-SECRET"])
def test_request_with_the_present_secret_or_the_one_before_passes(name: str, secret: str) -> None:
    assert status_of({"headers": {name: secret}}) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-edge-secret": ""},
        {"x-edge-secret": OLDER},
        {"x-edge-secret": NEW[:-1]},
        {"x-edge-secret": NEW + " "},
        {"x-edge-secret": f"{NEW} {OLD}"},
        # A Function URL makes one value of a header that was sent twice.
        {"x-edge-secret": f"{NEW},{NEW}"},
        {"x-edge-secret": "\udcff"},
        {"x-edge-secrets": NEW},
        # Whoever calls directly can write these.
        {"cloudfront-viewer-address": "52.89.214.238:443", "x-forwarded-for": "52.89.214.238", "via": "CloudFront"},
    ],
)
def test_direct_call_is_refused_and_counted(headers: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of({"headers": headers}) == 403
    output = capsys.readouterr().out
    assert ("edge_secret_wrong" if "x-edge-secret" in headers else "direct_call_refused") in output
    assert NEW not in output


@pytest.mark.rings("EdgeSecretWrongAlarm")
def test_secret_that_is_not_known_rings() -> None:
    assert status_of(event(x_edge_secret=OLDER)) == 403


@pytest.mark.parametrize("request_without", [{}, {"headers": None}])
def test_request_without_headers_is_refused(request_without: dict[str, Any]) -> None:
    assert status_of(request_without) == 403


def test_direct_calls_are_allowed_unless_they_are_to_be_refused(settings_from: Callable[..., None]) -> None:
    settings_from(EDGE_SECRET_PARAMETER="")
    assert status_of(event()) == 200
    assert edge.is_known_sender(event(), SENDERS)


def test_rotation_refuses_nobody_and_ends_the_secret_before_the_last(clock: MovedClock) -> None:
    assert status_of(event(x_edge_secret=OLD)) == 200
    store("f" * 43, NEW)
    clock.now += edge.READ_AGAIN_S
    # CloudFront's edges change over one by one: both secrets arrive.
    assert [status_of(event(x_edge_secret=one)) for one in ("f" * 43, NEW, "f" * 43)] == [200, 200, 200]
    assert status_of(event(x_edge_secret=OLD)) == 403


def test_retired_secret_is_accepted_no_longer_than_the_cache_lasts(clock: MovedClock) -> None:
    assert status_of(event(x_edge_secret=OLD)) == 200
    store("f" * 43, NEW)
    clock.now += edge.CACHED_FOR_S
    assert status_of(event(x_edge_secret=OLD)) == 403


def test_flood_of_wrong_secrets_reads_the_parameter_once_in_five_seconds(
    clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    def read(name: str) -> str | None:
        reads.append(name)
        return quick_parameters.read_quickly(name)

    monkeypatch.setattr(edge, "read_quickly", read)
    for _ in range(20):
        assert status_of(event(x_edge_secret=OLDER)) == 403
        clock.now += 0.5
    assert len(reads) == 2


class Ssm:
    """SSM that answers every read with an error of this code; keeps the names that were asked for."""

    def __init__(self, code: str) -> None:
        self.asked: list[str] = []
        self._code = code

    def get_parameter(self, **request: Any) -> Any:
        self.asked.append(request["Name"])
        raise ClientError({"Error": {"Code": self._code, "Message": ""}}, "GetParameter")


@pytest.fixture
def refusing_ssm(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Ssm]:
    def refuse(code: str) -> Ssm:
        ssm = Ssm(code)
        monkeypatch.setattr(quick_parameters, "_ssm", lambda: ssm)
        return ssm

    return refuse


@pytest.mark.rings("EdgeSecretUnreadAlarm")
def test_secrets_that_were_never_readable_refuse_nobody_who_sends_one(refusing_ssm: Callable[[str], Ssm]) -> None:
    """The alert's own secret is checked after this: without SSM, alerts must go on."""
    refusing_ssm("ThrottlingException")
    assert status_of(event(x_edge_secret=NEW)) == 200
    assert status_of(event()) == 403


def test_secret_that_does_not_exist_is_nobodys(
    settings_from: Callable[..., None], clock: MovedClock, capsys: pytest.CaptureFixture[str]
) -> None:
    settings_from(EDGE_SECRET_PARAMETER="/unit/missing")
    forged = event(x_edge_secret=NEW, cloudfront_viewer_address="52.89.214.238:443")
    assert [status_of(forged) for _ in range(2)] == [403, 403]
    output = capsys.readouterr().out
    assert output.count('"edge_secret_unread":[') == 2
    assert "edge_secret_wrong" not in output
    aws_client("ssm").put_parameter(Name="/unit/missing", Type="SecureString", Value=NEW)
    clock.now += edge.READ_AGAIN_S
    assert status_of(forged) == 200


@pytest.mark.parametrize("code", ["ThrottlingException", "ParameterNotFound"])
def test_flood_asks_an_ssm_that_refuses_once_in_five_seconds(
    code: str, refusing_ssm: Callable[[str], Ssm], clock: MovedClock
) -> None:
    ssm = refusing_ssm(code)
    for _ in range(20):
        status_of(event(x_edge_secret=NEW))
        clock.now += 0.5
    assert len(ssm.asked) == 2


def test_parameter_that_is_refused_holds_back_no_other(refusing_ssm: Callable[[str], Ssm]) -> None:
    ssm = refusing_ssm("AccessDeniedException")
    assert [quick_parameters.read_quickly(name) for name in ("/unit/one", "/unit/other", "/unit/one")] == [None] * 3
    assert ssm.asked == ["/unit/one", "/unit/other"]


def test_secrets_that_became_unreadable_stay_known(clock: MovedClock) -> None:
    assert status_of(event(x_edge_secret=NEW)) == 200
    aws_client("ssm").delete_parameter(Name=NAME)
    clock.now += edge.CACHED_FOR_S * 10
    assert status_of(event(x_edge_secret=NEW)) == 200
    assert status_of(event(x_edge_secret=OLDER)) == 403


def test_parameter_store_that_hangs_costs_one_time_out_for_all_that_a_request_reads(
    settings_from: Callable[..., None],
) -> None:
    from shared.api.maintenance import refuse_during_maintenance  # noqa: PLC0415 - beside what it shares SSM with

    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(10)
        settings_from(AWS_ENDPOINT_URL=f"http://127.0.0.1:{silent.getsockname()[1]}", EDGE_SECRET_PARAMETER=NAME)
        assert status_of(event(x_edge_secret=NEW)) == 200
        refuse_during_maintenance()
        first, _ = silent.accept()
        first.close()
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("52.89.214.238:46532", True),
        ("198.51.100.77:1", True),
        # IPv6 has no brackets; the last part is the port.
        ("2001:db8::1:46532", True),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334:46532", True),
        ("2001:db9::1:46532", False),
        ("52.89.214.239:46532", False),
        ("::ffff:52.89.214.238:46532", False),
        ("52.89.214.238", False),
        ("52.89.214.238:", False),
        ("52.89.214.238:443,52.89.214.238:443", False),
        ("52.89.214.238:\u0664\u0664", False),
        ("[2001:db8::1]:443", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_sender_is_known_by_the_viewers_address(written: str, known: bool) -> None:
    assert edge.is_known_sender(event(cloudfront_viewer_address=written), SENDERS) == known


def test_sender_without_a_viewers_address_is_unknown() -> None:
    assert not edge.is_known_sender(event(x_forwarded_for="52.89.214.238"), SENDERS)


def test_refusal_tells_nothing_but_that() -> None:
    context: Any = FakeContext()
    answer = answer_request({"headers": {}}, context, lambda _: Answer(200, {}), failure="failed")
    assert json.loads(answer["body"]) == {"message": "forbidden"}
