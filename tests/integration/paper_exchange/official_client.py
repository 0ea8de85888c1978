"""The exchange's official SDK, pointed at the paper exchange; its models parse every answer."""

from __future__ import annotations

from typing import Any

from binance_common.configuration import ConfigurationRestAPI
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from pydantic import BaseModel

from tests.integration.paper_exchange.trader import Trader

BEYOND_THE_MODELS = frozenset(
    # exchangeInfo
    {"futuresType", "positionControlSide", "maxMoveOrderLimit", "permissionSets"}
    # accounts
    | {"breakEvenPrice", "isolatedWallet", "notional", "marginAvailable"}
    # orders
    | {"avgPrice", "cumQuote", "actualOrderId", "actualPrice"}
    | {"slPrice", "slTriggerPrice", "tpOrderType", "tpPrice", "tpTriggerPrice"}
)
"""Fields that the exchange sends, by its documentation or by recorded answers, and the SDK's models leave out."""


def official_client(trader: Trader, *, api_key: str | None = None) -> Any:
    """Return a client of the SDK with the trader's key, which tries each request once."""
    configuration = ConfigurationRestAPI(
        api_key=api_key or trader.api_key,
        api_secret=f"secret-of-{api_key or trader.api_key}",
        base_path=trader.exchange.url,
        timeout=10_000,
        retries=0,
    )
    return DerivativesTradingUsdsFutures(config_rest_api=configuration).rest_api


def parsed(answer: Any) -> Any:
    """Return an answer's data as the SDK's models hold it; fail on a field that no model of the SDK knows."""
    data = answer.data()
    unknown = {name for name in unknown_fields(data) if name.rpartition(".")[2] not in BEYOND_THE_MODELS}
    assert not unknown, f"no model of the SDK knows {sorted(unknown)}"
    return data


def unknown_fields(data: Any, path: str = "") -> list[str]:
    """Return the fields, at any depth, that the SDK's models do not know."""
    if isinstance(data, list):
        return [name for row in data for name in unknown_fields(row, f"{path}[]")]
    if not isinstance(data, BaseModel):
        return []
    actual = getattr(data, "actual_instance", None)
    if actual is not None:
        return unknown_fields(actual, path)
    extra = getattr(data, "additional_properties", None) or {}
    found = [f"{path}.{name}" for name in extra]
    for name in type(data).model_fields:
        if name != "additional_properties":
            found += unknown_fields(getattr(data, name), f"{path}.{name}")
    return found
