"""The packages of each layer: a part of the lock, extracted by `layers/locked.py`."""

from __future__ import annotations

from layers.locked import LOCK, closure, extract, read_names, read_pins
from local.stack.places import ROOT

LAYERS = ROOT / "layers"

SMALL_LOCK = """\
app==1.0 \\
    --hash=sha256:aa
    # via lockstep (pyproject.toml)
other==3.0 \\
    --hash=sha256:cc
    # via
    #   app
    #   elsewhere
shared-part==2.0 ; python_version < '3.12' \\
    --hash=sha256:bb
    # via other
unrelated==9 \\
    --hash=sha256:dd
    # via lockstep (pyproject.toml:dev)
"""


def test_an_extract_has_what_the_roots_need_with_pins_markers_and_hashes() -> None:
    assert extract(SMALL_LOCK, {"app"}) == (
        "app==1.0 \\\n    --hash=sha256:aa\n"
        "other==3.0 \\\n    --hash=sha256:cc\n"
        "shared-part==2.0 ; python_version < '3.12' \\\n    --hash=sha256:bb\n"
    )


def test_an_extract_leaves_out_given_and_excluded_packages() -> None:
    assert "other==" not in extract(SMALL_LOCK, {"app"}, given={"other"})
    assert "shared-part==" not in extract(SMALL_LOCK, {"app"}, given={"other"})
    assert "shared-part==" in extract(SMALL_LOCK, {"app"}, left_out={"other"})


def test_layers_ship_the_locked_versions() -> None:
    lock = LOCK.read_text(encoding="utf-8")
    dependencies, _ = read_names(LAYERS / "dependencies" / "requirements.in")
    exchange, left_out = read_names(LAYERS / "exchange" / "requirements.in")
    assert (LAYERS / "dependencies" / "requirements.txt").read_text(encoding="utf-8") == extract(lock, dependencies)
    assert (LAYERS / "exchange" / "requirements.txt").read_text(encoding="utf-8") == extract(
        lock, exchange, left_out=left_out, given=dependencies
    )
    reports, _ = read_names(LAYERS / "reports" / "requirements.in")
    assert (LAYERS / "reports" / "requirements.txt").read_text(encoding="utf-8") == extract(
        lock, reports, given=dependencies
    )


def test_no_package_is_in_two_layers() -> None:
    shipped = [
        name
        for layer in ("dependencies", "exchange", "reports")
        for name in read_pins((LAYERS / layer / "requirements.txt").read_text(encoding="utf-8"))
    ]
    assert sorted(shipped) == sorted(set(shipped))


def test_the_lock_names_no_index() -> None:
    assert "://" not in LOCK.read_text(encoding="utf-8")


def test_development_tools_are_in_no_layer() -> None:
    pins = read_pins(LOCK.read_text(encoding="utf-8"))
    tools = {"pytest", "moto", "ministack", "aws-sam-cli", "mypy"}
    shipped = closure(pins, read_names(LAYERS / "dependencies" / "requirements.in")[0])
    assert tools & shipped == set()
