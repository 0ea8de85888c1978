"""The artefacts of `sam build` are importable without the development environment."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from local.stack.build import BUILD, build
from local.stack.deploy import read_template
from local.stack.embedded_aws import bare_python

RESOURCES = read_template()["Resources"]
FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::Serverless::Function"
}
COMMON = ("SharedLayer", "DependenciesLayer")


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    build()


def layers_of(function: str) -> list[str]:
    own = [layer["Ref"] for layer in FUNCTIONS[function].get("Layers", [])]
    return [*own, *COMMON]


def run_alone(code: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Run code on a Python that imports from its standard library and the given directories only."""
    start = f"import sys; sys.path[:0] = {[str(path) for path in paths]!r}\n"
    return subprocess.run(
        [str(bare_python()), "-I", "-S", "-B", "-c", start + code],
        env={"AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_handler_loads_from_its_artefacts_alone(function: str) -> None:
    layers = [BUILD / layer / "python" for layer in layers_of(function)]
    module, _, handler = FUNCTIONS[function]["Handler"].rpartition(".")
    code = f"import importlib; assert callable(importlib.import_module({module!r}).{handler})"
    result = run_alone(code, BUILD / function, *layers)
    assert result.returncode == 0, result.stderr


def test_exchange_layer_has_binance_and_no_other_exchange() -> None:
    code = (
        "import ccxt, ccxt.async_support as later; print(ccxt.exchanges, later.exchanges, later.binanceusdm.__name__)"
    )
    result = run_alone(code, BUILD / "ExchangeLayer" / "python", BUILD / "DependenciesLayer" / "python")
    assert result.stdout.split("\n")[0] == "['binance', 'binanceusdm'] ['binance', 'binanceusdm'] binanceusdm"


def test_reports_layer_draws_text_into_a_png() -> None:
    code = (
        "import io\nfrom PIL import Image, ImageDraw, ImageFont\n"
        "image = Image.new('RGB', (99, 30), 'white')\n"
        "ImageDraw.Draw(image).text((0, 0), '+1.5 USDT', 'black', ImageFont.load_default(20))\n"
        "out = io.BytesIO(); image.save(out, 'PNG'); print(out.getvalue()[:4], len(image.getcolors()) > 2)\n"
    )
    result = run_alone(code, BUILD / "ReportsLayer" / "python")
    assert result.stdout == "b'\\x89PNG' True\n", result.stderr


def test_dependencies_layer_knows_the_services_in_use() -> None:
    code = (
        "import boto3\n"
        "for service in ('cognito-idp', 'dynamodb', 'kms', 'sqs', 'ssm'):\n"
        "    boto3.client(service, region_name='us-east-1')\n"
    )
    result = run_alone(code, BUILD / "DependenciesLayer" / "python")
    assert result.returncode == 0, result.stderr


def test_layers_ship_byte_code_that_needs_no_check() -> None:
    for source in (BUILD / "ExchangeLayer" / "python" / "ccxt").rglob("*.py"):
        (compiled,) = (source.parent / "__pycache__").glob(f"{source.stem}.*.pyc")
        # Flags 1: the hash of the source is inside, and is not checked when the module is imported.
        assert compiled.read_bytes()[4:8] == b"\x01\x00\x00\x00"


def test_artefacts_name_no_directory_of_the_builder() -> None:
    home = str(BUILD.parent.parent).encode()
    naming = [path for path in BUILD.rglob("*.pyc") if home in path.read_bytes()]
    assert naming == []


def test_functions_carry_only_their_own_package() -> None:
    for function, properties in FUNCTIONS.items():
        packages = {path.parent.name for path in (BUILD / function).glob("functions/*/app.py")}
        assert packages == {properties["CodeUri"].strip("/").split("/")[-1]}
