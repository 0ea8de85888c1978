"""The stages that samconfig.toml describes: region, stack and template parameters of each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from local.stack.deploy import read_template
from local.stack.places import ROOT

STAGES = ("dev", "prod")

_template = cache(read_template)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage as samconfig.toml has it."""

    name: str
    stack_name: str
    region: str
    overrides: Mapping[str, str]
    """The template parameters that differ from their defaults."""

    @property
    def table_names(self) -> frozenset[str]:
        """The names of the stage's tables."""
        return self._names("AWS::DynamoDB::Table", "TableName")

    @property
    def queue_names(self) -> frozenset[str]:
        """The names of the stage's queues, without those of further lanes."""
        return self._names("AWS::SQS::Queue", "QueueName")

    def _names(self, kind: str, key: str) -> frozenset[str]:
        resources = (one["Properties"] for one in _template()["Resources"].values() if one["Type"] == kind)
        names = (str(properties[key]["Fn::Sub"]) for properties in resources)
        return frozenset(name.replace("${AWS::StackName}", self.stack_name) for name in names)

    @property
    def parameters(self) -> dict[str, str]:
        """All parameters of the template, with their values as text."""
        return {**{name: self.parameter(name) for name in _template()["Parameters"]}, **self.overrides}

    def parameter(self, name: str) -> str:
        """Return the value of a template parameter, as text."""
        return self.overrides.get(name, str(_template()["Parameters"][name].get("Default", "")))

    def number(self, name: str) -> int:
        """Return the value of a whole-number parameter."""
        return int(self.parameter(name))


def read_stage(name: str) -> Stage:
    """Return a stage; raise KeyError for one that samconfig.toml does not have."""
    with (ROOT / "samconfig.toml").open("rb") as file:
        config = tomllib.load(file)
    if name not in STAGES:
        raise KeyError(name)
    general, deploy = config[name]["global"]["parameters"], config[name]["deploy"]["parameters"]
    pairs = (pair.partition("=") for pair in deploy["parameter_overrides"])
    return Stage(
        name=name,
        stack_name=general["stack_name"],
        region=general["region"],
        overrides={key: value for key, _, value in pairs},
    )
