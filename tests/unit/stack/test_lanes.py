from __future__ import annotations

import ipaddress

import pytest

from local.run import Options
from local.stack.lanes import address_of, names
from local.stack.places import NotReady


def test_number_of_lanes_is_an_option_of_make_run() -> None:
    assert Options.read({}).lanes == 1
    assert Options.read({"LANES": "3"}).lanes == 3


@pytest.mark.parametrize("number", ["0", "-1", "two", "18"])
def test_number_of_lanes_that_is_none_is_refused_in_one_line(number: str) -> None:
    with pytest.raises(NotReady, match=f"LANES={number} is not a whole number"):
        Options.read({"LANES": number})


def test_each_lane_has_an_address_of_the_loopback_and_the_first_the_usual_one() -> None:
    lanes = names(17)

    addresses = [address_of(lane) for lane in lanes]
    assert addresses[0] == "127.0.0.1"
    assert len(set(addresses)) == len(lanes) == 17
    assert all(ipaddress.ip_address(address).is_loopback for address in addresses)
