from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, cast

import pytest

from shared.api import maintenance, quick_parameters
from shared.api.maintenance import refuse_during_maintenance
from shared.errors import ServiceUnavailable
from tests.unit.in_process_aws import aws_client
from tests.unit.moved_clock import MovedClock

pytestmark = pytest.mark.usefixtures("admin_api")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    clock = MovedClock()
    monkeypatch.setattr(maintenance, "time", clock)
    return clock


def flip(value: str) -> None:
    aws_client("ssm").put_parameter(Name="/unit/maintenance", Type="String", Value=value, Overwrite=True)


def test_nothing_is_refused_while_it_is_off() -> None:
    refuse_during_maintenance()


def test_everything_is_refused_while_it_is_on() -> None:
    flip("on")
    with pytest.raises(ServiceUnavailable, match="maintenance"):
        refuse_during_maintenance()


def test_flipped_switch_takes_effect_within_five_seconds(clock: MovedClock) -> None:
    refuse_during_maintenance()
    flip("on")
    clock.now += 5.0
    with pytest.raises(ServiceUnavailable):
        refuse_during_maintenance()
    flip("off")
    clock.now += 5.0
    refuse_during_maintenance()


def test_parameter_that_was_never_readable_counts_as_off(settings_from: Callable[..., None]) -> None:
    settings_from(MAINTENANCE_PARAMETER="/unit/missing")
    refuse_during_maintenance()


def test_parameter_that_became_unreadable_keeps_its_last_value(clock: MovedClock) -> None:
    flip("on")
    with pytest.raises(ServiceUnavailable):
        refuse_during_maintenance()
    aws_client("ssm").delete_parameter(Name="/unit/maintenance")
    clock.now += 60.0
    with pytest.raises(ServiceUnavailable):
        refuse_during_maintenance()


def test_parameter_store_that_hangs_costs_a_request_one_try_of_less_than_a_second(
    settings_from: Callable[..., None],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(10)
        settings_from(AWS_ENDPOINT_URL=f"http://127.0.0.1:{silent.getsockname()[1]}")
        refuse_during_maintenance()
        first, _ = silent.accept()
        first.close()
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()
    config = cast("Any", quick_parameters._ssm().meta.config)
    assert config.connect_timeout + config.read_timeout < 1
