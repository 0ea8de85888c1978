"""The options of `make worlds`: they are read before any world is simulated."""

from __future__ import annotations

import pytest

from local.faults.worlds import __main__ as worlds
from local.faults.worlds.verdict import Verdict


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, str]]:
    """The runs that were started: executions, seed, mutation."""
    runs: list[tuple[int, int, str]] = []

    def run(executions: int, *, seed: int, mutation: str) -> list[Verdict]:
        runs.append((executions, seed, mutation))
        return [Verdict(seed, executions=executions)]

    monkeypatch.setattr(worlds, "_simulate_until", run)
    for name in ("N", "SEED", "MUTATE"):
        monkeypatch.delenv(name, raising=False)
    return runs


@pytest.mark.parametrize("option", ["--help", "--unknown", "--mutate=unknown", "--seed=x"])
def test_help_and_mistakes_start_no_run(
    option: str, simulated: list[tuple[int, int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        worlds.main([option])

    assert stopped.value.code == (0 if option == "--help" else 2)
    assert "usage: make worlds" in "".join(capsys.readouterr())
    assert simulated == []


def test_a_mistake_in_the_environment_starts_no_run(
    simulated: list[tuple[int, int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUTATE", "unknown")

    with pytest.raises(SystemExit):
        worlds.main([])

    assert simulated == []


def test_options_come_from_the_environment_or_the_command_line(
    simulated: list[tuple[int, int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds.main([])
    for name, value in {"N": "20", "SEED": "7", "MUTATE": "early_stop"}.items():
        monkeypatch.setenv(name, value)
    worlds.main([])
    worlds.main(["--executions", "30", "--seed", "9", "--mutate", "no_look_up"])

    assert simulated == [(1000, 1, ""), (20, 7, "early_stop"), (30, 9, "no_look_up")]
