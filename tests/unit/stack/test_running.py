"""Two stacks beside each other: what one finds and does where another runs."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path
from unittest.mock import Mock

import pytest

from local.stack import places as places_module
from local.stack import running as running_module
from local.stack.places import NotReady, Places, Ports
from local.stack.running import LocalStack, session_file


@pytest.fixture(autouse=True)
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`.local` of this test."""
    directory = tmp_path / "local"
    for module in (places_module, running_module):
        monkeypatch.setattr(module, "LOCAL", directory)
    return directory


@pytest.fixture
def building(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every start end where it would begin to build."""

    def build() -> bool:
        raise NotReady("built")

    monkeypatch.setattr(running_module, "build", build)


def made(places: Places) -> LocalStack:
    return LocalStack(places, followers=1, report=lambda _: None)


def start(stack: LocalStack) -> str:
    """Start a stack and return why it is not ready."""
    with pytest.raises(NotReady) as caught:
        stack.start()
    return str(caught.value)


def left_by_a_running_stack(places: Places) -> list[Path]:
    files = [places.session_file, places.temporary / "code.py", places.logs / "aws.log"]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("kept")
    return files


@pytest.mark.usefixtures("building")
def test_a_second_stack_on_the_same_port_is_refused_and_touches_nothing() -> None:
    places = Places(Ports.reserve_free())
    first, second = made(places), made(Places(places.ports))
    assert start(first) == "built"
    files = left_by_a_running_stack(places)
    reason = start(second)
    second.stop()
    assert "a stack is running on port" in reason
    assert "\n" not in reason
    assert [file.read_text() for file in files] == ["kept"] * len(files)
    first.stop()
    assert start(made(places)) == "built"


def test_a_stack_on_taken_ports_touches_nothing() -> None:
    places = Places(Ports.reserve_free())
    files = left_by_a_running_stack(places)
    with socket.socket() as server:
        server.bind(("127.0.0.1", places.ports.exchange))
        server.listen()
        stack = made(places)
        reason = start(stack)
        stack.stop()
    assert reason == f"port {places.ports.exchange} is taken: stop what listens there, or choose another with PORT=n"
    assert [file.read_text() for file in files] == ["kept"] * len(files)


@pytest.mark.usefixtures("building")
def test_a_second_stack_with_the_same_data_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = made(Places(Ports.reserve_free(), state=state))
    assert start(first) == "built"
    second = made(Places(Ports.reserve_free(), state=state))
    assert "a running stack keeps its data" in start(second)
    second.stop()
    first.stop()
    assert start(second) == "built"


@pytest.mark.usefixtures("building")
def test_data_that_cannot_be_kept_is_said_in_one_line(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.touch()
    assert start(made(Places(Ports.reserve_free(), state=state))) == f"{state / 'lock'} cannot be used: Not a directory"


@pytest.mark.usefixtures("building")
def test_what_a_stack_writes_is_its_owners(tmp_path: Path, local: Path) -> None:
    state = tmp_path / "state"
    for directory in (local, state, state / "aws"):
        directory.mkdir(mode=0o755)
    (state / "seed.json").touch(mode=0o644)
    places = Places(Ports.reserve_free(), state=state)
    start(made(places))
    modes = {
        path: stat.S_IMODE(path.stat().st_mode) for path in (local, places.work, state / "aws", state / "seed.json")
    }
    assert modes == {local: 0o700, places.work: 0o700, state / "aws": 0o700, state / "seed.json": 0o600}


@pytest.mark.usefixtures("building")
def test_a_session_that_a_killed_stack_left_is_removed() -> None:
    places = Places(Ports.reserve_free())
    left_by_a_running_stack(places)
    start(made(places))
    assert not places.session_file.exists()


def test_a_session_names_its_port_unless_that_is_the_default(local: Path) -> None:
    assert Places(Ports(3000)).session_file == local / "session.json"
    assert Places(Ports(5000)).session_file == local / "session-5000.json"


def test_a_session_is_there_while_the_stack_is_ready_and_leads_back_to_it(local: Path) -> None:
    local.mkdir()
    places = Places(Ports(5000))
    session = {"api": places.api_url, "awsAccessKeyId": places.aws_key.id, "awsSecretAccessKey": places.aws_key.secret}
    ready = Mock(places=places, **{"session.return_value": session})
    with session_file(ready) as file:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert Places.of(json.loads(file.read_text())) == places
    assert list(local.iterdir()) == []


@pytest.mark.parametrize(
    ("port", "blocked"),
    [
        (6000, "6000"),
        (5998, "6000"),
        (5996, "6000"),
        (6665, "6665 and 6666 and 6667 and 6668 and 6669"),
        (10080, "10080"),
    ],
)
def test_ports_that_browsers_refuse_are_refused(port: int, blocked: str) -> None:
    with pytest.raises(NotReady) as caught:
        Ports(port)
    assert str(caught.value) == (f"PORT={port} does not work: browsers refuse to open port {blocked}; choose another")


@pytest.mark.parametrize("port", [3000, 4434, 5000, 5995, 6001, 8080])
def test_other_ports_work(port: int) -> None:
    assert Ports(port).api == port
