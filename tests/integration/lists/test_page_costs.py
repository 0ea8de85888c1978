"""A page of a list costs a page: the same requests and items read, however much data there is."""

from __future__ import annotations

import os
from collections.abc import Iterator

import boto3
import pytest

from local.bench import lists
from local.bench.lists import LISTS, Size, load, measure
from shared.models.plan import Plan
from tests.environment import environment
from tests.integration.embedded_aws import EmbeddedAws

LITTLE = Size(users=10, strategies=10, keys=20, executions=200)
MORE = Size(users=300, strategies=300, keys=600, executions=600)


@pytest.fixture
def handlers(aws: EmbeddedAws) -> Iterator[EmbeddedAws]:
    """Prepare what the handlers find in their environment."""
    assert os.environ["AWS_ENDPOINT_URL"] == aws.url
    kms, ssm = (boto3.client(service, region_name="us-east-1") for service in ("kms", "ssm"))
    with environment(**lists.environment(aws.url, kms=kms, ssm=ssm)):
        # Private plans that other tests left in the shared table would be missing from the page of public ones.
        for plan in Plan.scan():
            plan.delete()
        yield aws


def test_a_page_costs_the_same_with_thirty_times_the_data(handlers: EmbeddedAws) -> None:
    load(handlers.url, LITTLE)
    little = measure()
    load(handlers.url, MORE, after=LITTLE)
    assert measure() == little
    for one in LISTS:
        cost = little[one.title]
        # Per item its key and its record, and its related records: never a table.
        assert cost.shown == (one.limit or 100)
        assert cost.requests <= 12
        assert cost.items <= 210
