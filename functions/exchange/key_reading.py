"""Reads a key at the exchange before it is kept or changed. Keeps nothing, whatever it finds.

Asks the first lane for weight as background work: entries, exits and looks go first.
"""

from __future__ import annotations

from dataclasses import replace

from functions.exchange.refusals import refused
from shared.api.exchange_access import UNREACHABLE
from shared.errors import ExchangeAuthorizationFailed, ExchangeError, ServiceUnavailable
from shared.exchange import account_queries, key_inspection, lanes
from shared.exchange.futures import MARGIN_ASSET, FuturesAccount
from shared.exchange.key_inspection import Inspection
from shared.observability import logger
from shared.trading.execution import DenialReason


def read_credentials(*, api_key: str, secret: str, spot: bool) -> Inspection:
    """Return what the exchange says of a key that is not kept yet; of a `spot` key, its account there.

    Raise RequestUnprocessable if the exchange refuses it, and ServiceUnavailable if the exchange cannot be asked now.
    """

    async def read() -> Inspection:
        async with lanes.background_work(lanes.DEFAULT_LANE, key_inspection.HELD_WEIGHT):
            account = await FuturesAccount.open(api_key=api_key, secret=secret)
            found = await key_inspection.read(account, margin_assets=[MARGIN_ASSET], with_alias=not spot)
        if not spot:
            return found
        return replace(found, alias=await key_inspection.spot_account(api_key=api_key, secret=secret))

    try:
        return account_queries.run(read())
    except ExchangeAuthorizationFailed as error:
        # No record of a refusal: nobody knows yet whose key it is, nor whether it is one.
        logger.info("new_key_refused", code=error.code)
        raise refused([DenialReason.KEY_UNAUTHORIZED], value=api_key) from error
    except ExchangeError as error:
        logger.warning("exchange_not_reached", error=type(error).__name__, code=error.code)
        raise ServiceUnavailable(UNREACHABLE) from error
