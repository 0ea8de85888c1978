"""The documented endpoints and ours, of admins and users, and which function serves each. Data, for several tests."""

from __future__ import annotations

WEBHOOK = ("StrategyWebhookExpressJSv1", "POST", "/v1/webhook/strategy")

OWN = {
    ("AdminSettingStrategyExpressJSv1", "POST", "/v1/admin/setting/strategy/{STRATEGY_ID}/webhook"),
    ("AdminStrategyExpressJSv1", "GET", "/v1/admin/strategy/trigger/{TRIGGER_ID}/timeline"),
}

ACCOUNT = {
    ("UserExpressJSv1", "GET", "/v1/account/user"),
    ("UserExpressJSv1", "PUT", "/v1/account/user"),
    ("UserExpressJSv1", "GET", "/v1/account/event/list"),
    ("UserExpressJSv1", "GET", "/v1/account/notification"),
    ("UserExpressJSv1", "PUT", "/v1/account/notification"),
    ("UserExpressJSv1", "POST", "/v1/account/telegram/link"),
    ("UserExpressJSv1", "DELETE", "/v1/account/telegram/link"),
    ("ExchangeExpressJSv1", "GET", "/v1/exchange/key/list"),
    ("StrategyExpressJSv1", "GET", "/v1/strategy/list"),
    ("StrategyExpressJSv1", "GET", "/v1/strategy/profile/list"),
    ("StrategyFollowerExpressJSv1", "GET", "/v1/strategy/follower/list"),
    ("StrategyFollowerExpressJSv1", "GET", "/v1/account/trade/strategy/history"),
    ("StrategyFollowerExpressJSv1", "GET", "/v1/account/trade/strategy/performance"),
    ("StrategyFollowerExpressJSv1", "GET", "/v1/account/trade/manual/history"),
    ("StrategyFollowerExpressJSv1", "GET", "/v1/account/trade/manual/performance"),
    ("SubscriptionExpressJSv1", "GET", "/v1/subscription/list"),
    ("SubscriptionExpressJSv1", "GET", "/v1/subscription"),
    ("SubscriptionExpressJSv1", "POST", "/v1/subscription/checkout"),
    ("SubscriptionExpressJSv1", "POST", "/v1/subscription/portal"),
}
"""The Account API: each user's own account, behind the users' pool."""

DOCUMENTED = {
    ("AdminUserExpressJSv1", "GET", "/v1/admin/account/user/list"),
    ("AdminUserExpressJSv1", "GET", "/v1/admin/account/user/overview/{USER_ID}"),
    ("AdminUserExpressJSv1", "GET", "/v1/admin/account/user/exchange/balance/{USER_ID}"),
    ("AdminUserExpressJSv1", "GET", "/v1/admin/account/user/trade/strategy/{USER_ID}/history"),
    ("AdminUserExpressJSv1", "GET", "/v1/admin/account/user/trade/manual/{USER_ID}/history"),
    ("AdminUserExpressJSv1", "GET", "/v1/admin/account/user/trade/strategy/{USER_ID}/performance"),
    ("AdminUserExpressJSv1", "GET", "/v1/admin/account/user/trade/manual/{USER_ID}/performance"),
    ("AdminUserExpressJSv1", "PUT", "/v1/admin/account/user/action/enable/{USER_ID}"),
    ("AdminUserExpressJSv1", "PUT", "/v1/admin/account/user/action/disable/{USER_ID}"),
    ("AdminUserExpressJSv1", "PUT", "/v1/admin/account/user/action/reset/mfa/{USER_ID}"),
    ("AdminUserExpressJSv1", "PUT", "/v1/admin/account/user/action/reset/telegram/{USER_ID}"),
    ("AdminUserExpressJSv1", "GET", "/v1/admin/account/user/exchange/key/{USER_ID}/list"),
    ("AdminExchangeExpressJSv1", "GET", "/v1/admin/exchange/key/balance/history/{API_KEY_ID}"),
    ("AdminExchangeExpressJSv1", "GET", "/v1/admin/exchange/key/balance/{API_KEY_ID}"),
    ("AdminExchangeExpressJSv1", "GET", "/v1/admin/exchange/key/strategy/follower/{API_KEY_ID}"),
    ("AdminExchangeExpressJSv1", "GET", "/v1/admin/exchange/position/{API_KEY_ID}/list"),
    ("AdminExchangeExpressJSv1", "GET", "/v1/admin/exchange/order/{API_KEY_ID}/list"),
    ("AdminExchangeExpressJSv1", "GET", "/v1/admin/exchange/order/{API_KEY_ID}/history"),
    ("AdminExchangeExpressJSv1", "GET", "/v1/admin/exchange/trade/{API_KEY_ID}/history"),
    ("AdminStrategyFollowerExpressJSv1", "GET", "/v1/admin/strategy/follower/{ID}/list"),
    ("AdminStrategyFollowerExpressJSv1", "POST", "/v1/admin/strategy/follower/{ID}"),
    ("AdminStrategyFollowerExpressJSv1", "DELETE", "/v1/admin/strategy/follower/{ID}"),
    ("AdminStrategyFollowerExpressJSv1", "DELETE", "/v1/admin/strategy/follower/{ID}/all"),
    ("AdminStrategyExpressJSv1", "GET", "/v1/admin/strategy/trigger/history/{STRATEGY_ID}"),
    ("AdminSettingStrategyExpressJSv1", "GET", "/v1/admin/setting/strategy/list"),
    ("AdminSettingStrategyExpressJSv1", "POST", "/v1/admin/setting/strategy"),
    ("AdminSettingStrategyExpressJSv1", "PUT", "/v1/admin/setting/strategy/{STRATEGY_ID}"),
    ("AdminSettingStrategyExpressJSv1", "GET", "/v1/admin/setting/strategy/profile/list"),
    ("AdminSettingStrategyExpressJSv1", "POST", "/v1/admin/setting/strategy/profile"),
    ("AdminSettingStrategyExpressJSv1", "PUT", "/v1/admin/setting/strategy/profile/{STRATEGY_PROFILE_ID}"),
    ("AdminSubscriptionExpressJSv1", "GET", "/v1/admin/subscription/list"),
    ("AdminSubscriptionExpressJSv1", "POST", "/v1/admin/subscription"),
    ("AdminSubscriptionExpressJSv1", "PUT", "/v1/admin/subscription/{SUBSCRIPTION_ID}"),
    ("AdminSettingNotificationExpressJSv1", "GET", "/v1/admin/setting/notification"),
    ("AdminSettingNotificationExpressJSv1", "PUT", "/v1/admin/setting/notification"),
    WEBHOOK,
}
