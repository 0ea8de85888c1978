"""AdminUserExpressJSv1: the routes of the users' accounts. The use cases are in `service`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.admin_user import notices, service, users
from functions.admin_user.balance import TotalBalance, total_balance
from functions.admin_user.notices import NoticeItem
from functions.admin_user.schemas import UserChanged, UserItem, UserOverview, UserSwitched
from shared.api.admin_api import AdminApi
from shared.api.answers import OWN
from shared.api.days import DaysListing, DaysQuery, SinceQuery
from shared.api.paging import Listing
from shared.api.requests import ListQuery
from shared.models.performance_day import TradeLedger
from shared.views import exchange_keys, histories
from shared.views.exchange_keys import ExchangeKeyItem, ExchangeKeyQuery
from shared.views.histories import ManualHistoryItem, StrategyHistoryItem
from shared.views.performance import PerformanceAnswer, get_performance

app = AdminApi()


@app.get("/v1/admin/account/user/list")
def list_users() -> Listing[UserItem]:
    """List Users, newest first."""
    return users.list_users(app.query(ListQuery))


@app.get("/v1/admin/account/user/overview/<user_id>")
def get_overview(user_id: str) -> UserOverview:
    """Get User Overview."""
    return users.get_overview(user_id)


@app.put("/v1/admin/account/user/action/enable/<user_id>")
def enable_user(user_id: str) -> UserSwitched:
    """Enable User."""
    return users.enable_user(user_id)


@app.put("/v1/admin/account/user/action/disable/<user_id>")
def disable_user(user_id: str) -> UserSwitched:
    """Disable User."""
    return users.disable_user(user_id)


@app.put("/v1/admin/account/user/action/reset/mfa/<user_id>")
def reset_mfa(user_id: str) -> UserChanged:
    """Reset MFA."""
    return users.reset_mfa(user_id)


@app.put("/v1/admin/account/user/action/reset/telegram/<user_id>")
def reset_telegram(user_id: str) -> UserChanged:
    """Reset Telegram Link."""
    return users.reset_telegram(user_id)


@app.get("/v1/admin/account/user/exchange/key/<user_id>/list")
def list_exchange_keys(user_id: str) -> Listing[ExchangeKeyItem]:
    """List Exchange Keys, newest first."""
    user = service.find_user(user_id)
    return exchange_keys.list_keys(user.id, app.query(ExchangeKeyQuery))


@app.get("/v1/admin/account/user/exchange/balance/<user_id>")
def get_balance(user_id: str) -> TotalBalance:
    """Get Exchange Total Balance: all keys of the user, live."""
    return total_balance(service.find_user(user_id))


@app.get("/v1/admin/account/user/trade/strategy/<user_id>/history")
def list_strategy_history(user_id: str) -> DaysListing[StrategyHistoryItem]:
    """List Strategy Automated History, newest first."""
    user = service.find_user(user_id)
    return histories.list_strategy_history(user.id, app.query(DaysQuery))


@app.get("/v1/admin/account/user/trade/manual/<user_id>/history")
def list_manual_history(user_id: str) -> DaysListing[ManualHistoryItem]:
    """List Manual Trading History, newest first."""
    user = service.find_user(user_id)
    return histories.list_manual_history(user.id, app.query(DaysQuery))


@app.get("/v1/admin/account/user/trade/strategy/<user_id>/performance")
def get_strategy_performance(user_id: str) -> PerformanceAnswer:
    """Get Strategy Performance."""
    user = service.find_user(user_id)
    return get_performance(user.id, TradeLedger.STRATEGY, app.query(SinceQuery))


@app.get("/v1/admin/account/user/trade/manual/<user_id>/performance")
def get_manual_performance(user_id: str) -> PerformanceAnswer:
    """Get Manual Trade Performance."""
    user = service.find_user(user_id)
    return get_performance(user.id, TradeLedger.MANUAL, app.query(SinceQuery))


@app.get("/v1/admin/account/user/notice/<user_id>/list", openapi_extensions=OWN)
def list_notices(user_id: str) -> Listing[NoticeItem]:
    """List Notices: what the user was told by Telegram and e-mail, and what became of it, newest first."""
    user = service.find_user(user_id)
    return notices.list_notices(user, app.query(ListQuery))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the admin API."""
    return app.resolve(event, context)
