"""Accounts, balances and key permissions in Binance's own fields. Formats margin.py's figures, computes none."""

from __future__ import annotations

from typing import Any

from local.paper_exchange import margin
from local.paper_exchange.accounts import Account, FurtherKey
from local.paper_exchange.encoding import with_list
from local.paper_exchange.listing import EVERY_SYMBOL
from local.paper_exchange.margin import MARGIN_ASSET
from local.paper_exchange.position_responses import account_v2_rows, listed_positions, position_figures
from local.paper_exchange.responses import money
from local.paper_exchange.venue import Venue


def asset_rows(venue: Venue, account: Account) -> list[dict[str, Any]]:
    """Return the `assets` of an account, each with the margin of the contracts that are quoted in it."""
    rows = []
    for asset in sorted({MARGIN_ASSET, *account.balances}):
        summary = margin.summarise(venue, account, asset)
        rows.append(
            {
                "asset": asset,
                "walletBalance": money(summary.wallet),
                "unrealizedProfit": money(summary.unrealized),
                "marginBalance": money(summary.margin_balance),
                "maintMargin": money(summary.maintenance),
                "initialMargin": money(summary.initial),
                "positionInitialMargin": money(summary.position_initial),
                "openOrderInitialMargin": money(summary.order_initial),
                "crossWalletBalance": money(summary.cross_wallet),
                "crossUnPnl": money(summary.cross_unrealized),
                "availableBalance": money(summary.available),
                "maxWithdrawAmount": money(min(summary.available, summary.wallet)),
                "marginAvailable": True,
                "updateTime": account.incomes[-1].time_ms if account.incomes else account.created_ms,
            }
        )
    return rows


def _totals(venue: Venue, account: Account) -> dict[str, str]:
    """Return the totals, which are of USDT alone in single-asset mode."""
    summary = margin.summarise(venue, account)
    return {
        "totalInitialMargin": money(summary.initial),
        "totalMaintMargin": money(summary.maintenance),
        "totalWalletBalance": money(summary.wallet),
        "totalUnrealizedProfit": money(summary.unrealized),
        "totalMarginBalance": money(summary.margin_balance),
        "totalPositionInitialMargin": money(summary.position_initial),
        "totalOpenOrderInitialMargin": money(summary.order_initial),
        "totalCrossWalletBalance": money(summary.cross_wallet),
        "totalCrossUnPnl": money(summary.cross_unrealized),
        "availableBalance": money(summary.available),
        "maxWithdrawAmount": money(min(summary.available, summary.wallet)),
    }


def _config(account: Account) -> dict[str, Any]:
    return {
        "feeTier": 0,
        "canTrade": account.permissions.can_trade,
        "canDeposit": True,
        # Whether the account can withdraw; apiRestrictions says whether the key may.
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": account.is_multi_assets,
        "tradeGroupId": -1,
    }


def account_config_json(account: Account) -> dict[str, Any]:
    """Return `GET /fapi/v1/accountConfig`."""
    return {**_config(account), "dualSidePosition": account.is_hedge_mode}


def account_v3_json(venue: Venue, account: Account) -> dict[str, Any]:
    """Return `GET /fapi/v3/account`: positions and orders' symbols only, no settings."""
    positions = []
    for position in listed_positions(account):
        figures = position_figures(venue, account, position)
        positions.append(
            {
                "symbol": position.symbol,
                "positionSide": position.position_side,
                "positionAmt": figures["positionAmt"],
                "unrealizedProfit": figures["unRealizedProfit"],
                "isolatedMargin": figures["isolatedMargin"],
                "notional": figures["notional"],
                "isolatedWallet": figures["isolatedWallet"],
                "initialMargin": figures["initialMargin"],
                "maintMargin": figures["maintMargin"],
                "updateTime": position.updated_ms,
            }
        )
    return {**_totals(venue, account), "assets": asset_rows(venue, account), "positions": positions}


def account_v2_body(venue: Venue, account: Account) -> bytes:
    """Return `GET /fapi/v2/account`: with settings, and a row for every symbol."""
    fields = {**_config(account), **_totals(venue, account), "assets": asset_rows(venue, account)}
    return with_list(fields, "positions", account_v2_rows(venue, account))


def balance_json(venue: Venue, account: Account) -> list[dict[str, Any]]:
    """Return `GET /fapi/v2/balance` and `v3`."""
    rows = asset_rows(venue, account)
    return [
        {
            "accountAlias": account.alias,
            "asset": row["asset"],
            "balance": row["walletBalance"],
            "crossWalletBalance": row["crossWalletBalance"],
            "crossUnPnl": row["crossUnPnl"],
            "availableBalance": row["availableBalance"],
            "maxWithdrawAmount": row["maxWithdrawAmount"],
            "marginAvailable": True,
            "updateTime": row["updateTime"],
        }
        for row in rows
    ]


def symbol_config_json(symbol: str, *, leverage: int, is_isolated: bool) -> dict[str, Any]:
    """Return one row of `GET /fapi/v1/symbolConfig`."""
    return {
        "symbol": symbol,
        "marginType": "ISOLATED" if is_isolated else "CROSSED",
        "isAutoAddMargin": False,
        "leverage": leverage,
        "maxNotionalValue": str(EVERY_SYMBOL[symbol].max_notional(leverage)),
    }


def api_restrictions_json(key: Account | FurtherKey) -> dict[str, Any]:
    """Return `GET /sapi/v1/account/apiRestrictions`: what the key may do."""
    permissions = key.permissions
    return {
        "ipRestrict": permissions.ip_restricted,
        "createTime": key.created_ms,
        "enableReading": permissions.can_read,
        "enableWithdrawals": permissions.can_withdraw,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": permissions.enable_futures and permissions.can_trade,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": True,
        "enableSpotAndMarginTrading": permissions.enable_spot and permissions.can_trade,
        "enablePortfolioMarginTrading": permissions.enable_portfolio_margin,
    }


def spot_account_json(account: Account) -> dict[str, Any]:
    """Return `GET /api/v3/account`."""
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": "0.00100000",
            "taker": "0.00100000",
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": account.permissions.can_trade and account.permissions.enable_spot,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": account.trades[-1].time_ms if account.trades else account.created_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": money(balance.free), "locked": money(balance.locked)}
            for asset, balance in sorted(account.spot_balances.items())
        ],
        "permissions": ["SPOT"],
        "uid": account.uid,
    }
