from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.models.base import transact
from shared.models.exchange_key import LISTED_SHARDS, ExchangeKey, StrategyType, TradeType, listed_shard_of
from shared.trading.risk import BASE_TAKER_RATE
from tests.unit.records import KEY_ID, an_exchange_key, id_of

pytestmark = pytest.mark.usefixtures("tables")


def listed() -> list[str]:
    return sorted(key.id for key in ExchangeKey.list_active())


def test_every_active_key_of_any_type_is_listed_once_with_its_types_and_lane() -> None:
    kinds = [(trade, strategy) for trade in TradeType for strategy in StrategyType]
    for number in range(8):
        trade, strategy = kinds[number % 4]
        an_exchange_key(id_of(f"key-{number}"), trade_type=trade, strategy_type=strategy, egress_lane=f"lane-{number}")

    found = {key.id: (key.trade_type, key.strategy_type, key.egress_lane) for key in ExchangeKey.list_active()}

    assert len(listed()) == 8
    assert found == {id_of(f"key-{number}"): (*kinds[number % 4], f"lane-{number}") for number in range(8)}


@pytest.mark.parametrize(
    ("stored", "named"),
    [
        ({}, ("lane-1",)),
        ({"egress_lane": "lane-2"}, ("lane-2",)),
        ({"egress_lanes": ["lane-1", "lane-3"]}, ("lane-1", "lane-3")),
        ({"egress_lane": "lane-2", "egress_lanes": ["lane-3"]}, ("lane-3",)),
    ],
)
def test_key_names_its_lanes_in_the_list_or_as_the_single_one(stored: dict[str, Any], named: tuple[str, ...]) -> None:
    an_exchange_key(**stored)

    assert ExchangeKey.get(KEY_ID).named_lanes == named


def test_keys_are_spread_over_the_shards() -> None:
    sizes = Counter(listed_shard_of(id_of(f"key-{number}")) for number in range(10_000))

    assert len(sizes) == LISTED_SHARDS
    assert max(sizes.values()) <= 150, "a shard's keys share a quarter of an hour"


def test_inactive_key_is_not_listed() -> None:
    an_exchange_key(active=False)

    assert listed() == []


def test_saving_a_key_that_was_switched_off_takes_it_off_the_list() -> None:
    key = an_exchange_key()
    key.active = False
    key.save()

    assert listed() == []


def test_activation_switches_a_key_and_its_listing_together() -> None:
    key = an_exchange_key()

    key.update(actions=key.activation(active=False))
    assert (ExchangeKey.get(KEY_ID).active, listed()) == (False, [])

    key.update(actions=key.activation(active=True))
    assert (ExchangeKey.get(KEY_ID).active, listed()) == (True, [KEY_ID])


def test_keys_written_in_a_batch_or_a_transaction_are_listed() -> None:
    first, second = an_exchange_key(id_of("first"), active=False), an_exchange_key(id_of("second"), active=False)
    first.active = second.active = True

    with ExchangeKey.batch_write() as batch:
        batch.save(first)
    transact(lambda transaction: transaction.save(second))

    assert listed() == sorted([first.id, second.id])


def test_taker_rates_are_kept_for_a_day_by_symbol_and_api_key() -> None:
    key = an_exchange_key()
    read_at = datetime(2026, 11, 29, tzinfo=UTC)

    key.save_taker_rates({"BTC/USDT": Decimal("0.00036")}, read_at=read_at)

    stored = ExchangeKey.get(key.id)
    soon, later = read_at + timedelta(hours=25), read_at + timedelta(hours=27)
    assert stored.taker_rate("BTC/USDT", now=soon) == Decimal("0.00036")
    assert stored.taker_rate("BTC/USDT", now=later) == BASE_TAKER_RATE
    assert stored.taker_rate("ETH/USDT", now=soon) == BASE_TAKER_RATE
    stored.api_key = "another account's"
    assert stored.taker_rate("BTC/USDT", now=soon) == BASE_TAKER_RATE


def test_taker_rates_of_an_api_key_that_was_replaced_meanwhile_are_dropped() -> None:
    key = an_exchange_key()
    replaced = ExchangeKey.get(key.id)
    replaced.api_key = "another account's"
    replaced.save()

    key.save_taker_rates({"BTC/USDT": Decimal("0.00036")}, read_at=datetime(2026, 11, 29, tzinfo=UTC))

    assert ExchangeKey.get(key.id).taker_rates is None
