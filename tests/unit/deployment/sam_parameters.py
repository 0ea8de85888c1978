"""The template parameters of a `sam deploy`, as SAM CLI's own parser reads them."""

from __future__ import annotations

from collections.abc import Sequence

from samcli.cli.types import CfnParameterOverridesType


def read_by_sam(command: Sequence[str]) -> dict[str, str]:
    """Return the parameters of a command, empty if it has none. SAM keeps the stack's values of all others."""
    pairs = [one for one in command if one.startswith("ParameterKey=")]
    return dict(CfnParameterOverridesType().convert(pairs, None, None)) if pairs else {}
