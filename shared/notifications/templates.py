"""The text of every notice: one template for each kind. Knows no channel and escapes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from shared.notifications.formatting import (
    assets,
    days_text,
    exact_money,
    number,
    short,
    side,
    signed,
    signed_money,
    time_text,
    usd,
)
from shared.notifications.notice_text import Fact, NoticeText
from shared.notifications.notice_types import (
    AboveMaximum,
    AccountChanged,
    ClosedUserPays,
    EntryRefused,
    FollowersLeftOut,
    KeyRefused,
    MonthlyReport,
    NearMaximum,
    NoticeKind,
    NoticeValues,
    PaymentFailed,
    PlanChanged,
    PlanLapsed,
    PlanRestored,
    PositionClosed,
    PositionOpened,
    PositionReduced,
    Reply,
    ReportKeyRefused,
    StrategiesReport,
    TelegramLinked,
    TelegramReply,
    TelegramUnlinked,
    UnlinkCause,
    UserNearMaximum,
    UserPaysTwice,
    WeeklyReport,
)
from shared.notifications.report_template import EQUITY_IMAGE, report_text
from shared.notifications.report_values import ASSET, StrategyWeek

__all__ = ["EQUITY_IMAGE", "Fact", "NoticeText", "text_of"]

_NAME_LENGTH: Final = 80
"""Characters of a strategy's name in the letter about all of them."""
_SLIPPAGE_STEP: Final = Decimal("0.0001")
_NAMED_ASSETS: Final = 10
"""How many assets a notice names before it only counts them."""


def text_of(values: NoticeValues) -> NoticeText:
    """Return the notice's text."""
    return _TEMPLATES[values.kind](values)


def _position_opened(values: PositionOpened) -> NoticeText:
    base, quote = assets(values.symbol)
    facts = [
        *_where(values.strategy_name, values.key_name),
        *_figure("Amount", values.amount, base),
        *_figure("Entry", values.entry_price, quote),
        *_figure("Stop", values.stop, quote),
    ]
    if values.ordered_amount is not None:
        facts.append(Fact("Filled in part", f"of {number(values.ordered_amount)} {base}: the market offered no more"))
    if values.callback_rate_pct is not None:
        facts.append(Fact("Trailing stop", f"{number(values.callback_rate_pct)} % behind the market"))
    if values.take_profits:
        prices = ", ".join(number(price) for price in values.take_profits)
        facts.append(Fact("Take-profit", f"{prices} {quote}"))
    title = f"{short(values.symbol)}: {side(long=values.long)} position opened"
    return NoticeText(title, (*facts, Fact("Time", time_text(values.at))))


def _position_reduced(values: PositionReduced) -> NoticeText:
    base, _ = assets(values.symbol)
    facts: list[str | Fact] = [
        "The strategy left a part of the position. Its stop stays; the take-profits are for what is left.",
        *_where(values.strategy_name, values.key_name),
        *_figure("Entered", values.amount, base),
        *_figure("Left", values.amount_left, base),
    ]
    title = f"{short(values.symbol)}: {side(long=values.long)} position reduced"
    return NoticeText(title, (*facts, Fact("Time", time_text(values.at))))


def _position_closed(values: PositionClosed) -> NoticeText:
    base, quote = assets(values.symbol)
    facts: list[str | Fact] = [
        values.reason,
        *_where(values.strategy_name, values.key_name),
        *_figure("Amount", values.amount, base),
        *_figure("Entry", values.entry_price, quote),
        *_figure("Exit", values.exit_price, quote),
    ]
    outcome = "closed"
    if values.profit is not None:
        outcome = f"closed, {signed(values.profit)} {quote}"
        share = "" if values.profit_pct is None else f" ({signed(values.profit_pct)} %)"
        facts.append(Fact("Result after fees", f"{signed(values.profit)} {quote}{share}"))
    title = f"{short(values.symbol)}: {side(long=values.long)} position {outcome}"
    return NoticeText(title, (*facts, Fact("Time", time_text(values.at))))


def _entry_refused(values: EntryRefused) -> NoticeText:
    return NoticeText(
        f"{short(values.symbol)}: {side(long=values.long)} position not opened",
        (values.reason, *_where(values.strategy_name, values.key_name), Fact("Time", time_text(values.at))),
    )


def _key_refused(values: KeyRefused) -> NoticeText:
    return NoticeText(
        "The exchange refuses your key",
        (
            "No new positions are opened with it, and we cannot look after open ones: please watch them yourself.",
            "Stops and take-profits that are at the exchange stay there.",
            "Check at the exchange that the key exists, has not expired, may trade and is bound to our address.",
            *_where("", values.key_name),
            Fact("Time", time_text(values.at)),
        ),
    )


def _near_maximum(values: NearMaximum) -> NoticeText:
    return NoticeText(
        "Your balance comes near your plan's maximum",
        (
            "Above the maximum, no new positions are opened. A larger plan keeps your strategies trading.",
            "Open positions keep their protection.",
            *_balance(values),
        ),
    )


def _user_near_maximum(values: UserNearMaximum) -> NoticeText:
    return NoticeText(
        "A user's balance comes near the plan's maximum",
        (
            Fact("User", f"{values.user_name} <{values.user_email}>".strip()),
            Fact("User id", values.user_id),
            *_balance(values),
        ),
    )


def _followers_left_out(values: FollowersLeftOut) -> NoticeText:
    return NoticeText(
        "An alert did not reach every follower",
        (
            "The exchange counts requests by address, and the lanes had no weight left while the alert was fresh.",
            "Those who were left out come first at the strategy's next alert. Another lane makes room for all.",
            Fact("Strategy", values.strategy_name),
            Fact("Symbol", values.symbol),
            Fact("Side", "long" if values.long else "short"),
            Fact("Reached", str(values.reached)),
            Fact("Left out", str(values.left_out)),
            Fact("Time", time_text(values.at)),
        ),
    )


def _above_maximum(values: AboveMaximum) -> NoticeText:
    return NoticeText(
        "Your balance is above your plan's maximum",
        (
            "No new positions are opened for you until you choose a larger plan or your balance is below the maximum.",
            "Open positions keep their protection.",
            *_balance(values),
        ),
    )


def _plan_changed(values: PlanChanged) -> NoticeText:
    facts = [Fact("Plan", values.plan_name)]
    if values.previous_plan_name:
        facts.append(Fact("Until now", values.previous_plan_name))
    return NoticeText(
        f"Your plan is now {short(values.plan_name)}",
        (
            *facts,
            Fact("Maximum balance", usd(values.max_balance_usd)),
            Fact("Exchange keys", str(values.max_api_key)),
            Fact("Automated strategies", "included" if values.strategy_automated else "not included"),
            *_what_stops(values),
        ),
    )


def _what_stops(values: PlanChanged) -> list[str]:
    """Return what the plan does not carry of what the user has, and what it means for open positions."""
    stops = []
    if values.automation_ends:
        stops.append("Strategies open no new positions for you: the plan does not include them.")
    elif values.accounts_above_maximum:
        accounts = "One account is" if values.accounts_above_maximum == 1 else f"{values.accounts_above_maximum} are"
        stops.append(f"{accounts} above the maximum balance: no new positions are opened there.")
    if values.keys:
        stops.append(f"You have {values.keys} exchange keys. They stay connected, but you cannot add another.")
    if values.automation_ends or values.accounts_above_maximum:
        stops.append("Open positions keep their stops and take-profits.")
    return stops


def _plan_lapsed(values: PlanLapsed) -> NoticeText:
    return NoticeText(
        "Your plan has ended: no new positions",
        (
            f"Your plan {short(values.plan_name)} is no longer paid for: no new positions are opened for you.",
            "Open positions keep their stops and take-profits. Renew the plan to trade on.",
        ),
    )


def _plan_restored(values: PlanRestored) -> NoticeText:
    return NoticeText(
        "Your plan is active again",
        (f"Your plan {short(values.plan_name)} is paid for. New positions are opened again.",),
    )


def _payment_failed(values: PaymentFailed) -> NoticeText:
    if values.next_attempt_at is not None:
        then = f"The next attempt is on {time_text(values.next_attempt_at)}: please check your means of payment."
    elif values.begins:
        then = "There will be no further attempt: to have the plan, please subscribe again."
    else:
        then = "There will be no further attempt: please renew the plan."
    title, lines = "A payment for your plan failed", [then]
    if values.begins:
        title = "The first payment for a plan failed"
        lines = ["The plan has not begun. A plan that you have already goes on as it is.", then]
    plan = [Fact("Plan", values.plan_name)] if values.plan_name else []
    return NoticeText(title, (*lines, *plan, Fact("Amount", exact_money(values.amount, values.currency))))


def _user_pays_twice(values: UserPaysTwice) -> NoticeText:
    return NoticeText(
        "A user pays for two subscriptions",
        (
            "Please end one of them at Stripe, and refund its payment. The user keeps the plan of the newer one.",
            *_paid_by(values),
        ),
    )


def _closed_user_pays(values: ClosedUserPays) -> NoticeText:
    return NoticeText(
        "A user pays for a closed account",
        (
            "Please end the subscription at Stripe, and refund its payment: the user can no longer sign in to do so.",
            *_paid_by(values),
        ),
    )


def _paid_by(values: UserPaysTwice | ClosedUserPays) -> tuple[Fact, ...]:
    return (
        Fact("User", values.user_email),
        Fact("User id", values.user_id),
        *(Fact("Subscription", short(found)) for found in values.subscription_ids),
    )


def _weekly_report(values: WeeklyReport) -> NoticeText:
    return report_text(values.figures, noun="week")


def _monthly_report(values: MonthlyReport) -> NoticeText:
    return report_text(values.figures, noun="month")


def _strategies_report(values: StrategiesReport) -> NoticeText:
    more = [f"{values.more} more traded, whose followers fell behind less."] if values.more else []
    return NoticeText(
        f"Strategies, {days_text(values.first_day, values.last_day)}",
        (
            "Each leader's own account beside the median follower. Slippage counts against the alert's price.",
            *(Fact(short(week.strategy_name)[:_NAME_LENGTH], _week(week)) for week in values.weeks),
            *more,
        ),
    )


def _week(week: StrategyWeek) -> str:
    parts = [
        f"leader {_pct(week.leader_pct)} ({signed_money(week.leader_profit, ASSET)})",
        f"followers {_pct(week.followers_pct)}",
        f"reached {week.reached} of {week.asked}",
    ]
    if week.slippage_pct is not None:
        parts.append(f"slippage {number(week.slippage_pct.quantize(_SLIPPAGE_STEP))} %")
    return ", ".join(parts)


def _pct(value: Decimal | None) -> str:
    return "–" if value is None else f"{signed(value)} %"


def _report_key_refused(values: ReportKeyRefused) -> NoticeText:
    return NoticeText(
        "The exchange refuses a strategy's report key",
        (
            "The strategy trades on, but what it earns on its leader's account is not reported.",
            "Check at the exchange that the key exists, has not expired and is bound to our address.",
            "The missing days are read once it is accepted again, up to 89 of them.",
            Fact("Strategy", short(values.strategy_name)),
            Fact("Strategy id", values.strategy_id),
            Fact("Since", time_text(values.at)),
        ),
    )


def _telegram_linked(values: TelegramLinked) -> NoticeText:
    return NoticeText(
        "Telegram is linked to your account",
        (
            "The chat is told of entries, closes and refusals. There, /status says how things stand and /stop ends it.",
            "If this was not you, have the link removed and change your password.",
            Fact("Time", time_text(values.at)),
        ),
    )


def _account_changed(values: AccountChanged) -> NoticeText:
    change = values.what.value.replace("_", " ").capitalize()
    facts = (Fact("Change", change), Fact("Name", short(values.name)), Fact("Time", time_text(values.at)))
    return NoticeText("Your account was changed", ("If this was not you, change your password.", *facts))


_UNLINKED: Final[Mapping[UnlinkCause, str]] = MappingProxyType(
    {
        UnlinkCause.STOPPED: "You asked the bot to stop. Notices of trades come by e-mail from now on.",
        UnlinkCause.BLOCKED: "Telegram no longer takes our messages for your chat: the bot was blocked, or the chat is "
        "gone. Notices of trades come by e-mail from now on.",
    }
)


_NEW_LINK: Final = "A new link from your account's settings links this chat; it is good for 15 minutes, once."
_REPLIES: Final[Mapping[Reply, NoticeText]] = MappingProxyType(
    {
        Reply.WELCOME: NoticeText("Welcome", (_NEW_LINK,)),
        Reply.LINK_REFUSED: NoticeText("This link is not good, or no longer", (_NEW_LINK,)),
        Reply.STOPPED: NoticeText(
            "Stopped",
            ("This chat is no longer linked to an account. Trading goes on: only the messages here end.", _NEW_LINK),
        ),
        Reply.STATUS_LINKED: NoticeText("Linked", ("This chat is told of entries, closes and refusals.",)),
        Reply.STATUS_PAUSED: NoticeText(
            "Linked, new positions are stopped",
            ("Your account or its plan is not active: nothing new is opened. Open positions keep their protection.",),
        ),
        Reply.NOT_LINKED: NoticeText("Not linked", ("This chat is not linked to an account.", _NEW_LINK)),
        Reply.HELP: NoticeText(
            "This bot knows /status (is this chat linked?), /stop (end the messages here) and /start (how to link).", ()
        ),
    }
)


def _telegram_unlinked(values: TelegramUnlinked) -> NoticeText:
    return NoticeText("Telegram is no longer linked to your account", (_UNLINKED[values.why],))


def _telegram_reply(values: TelegramReply) -> NoticeText:
    return _REPLIES[values.reply]


_TEMPLATES: Final[Mapping[NoticeKind, Callable[[Any], NoticeText]]] = MappingProxyType(
    {
        NoticeKind.POSITION_OPENED: _position_opened,
        NoticeKind.POSITION_REDUCED: _position_reduced,
        NoticeKind.POSITION_CLOSED: _position_closed,
        NoticeKind.ENTRY_REFUSED: _entry_refused,
        NoticeKind.KEY_REFUSED: _key_refused,
        NoticeKind.NEAR_MAXIMUM: _near_maximum,
        NoticeKind.USER_NEAR_MAXIMUM: _user_near_maximum,
        NoticeKind.FOLLOWERS_LEFT_OUT: _followers_left_out,
        NoticeKind.ABOVE_MAXIMUM: _above_maximum,
        NoticeKind.PLAN_CHANGED: _plan_changed,
        NoticeKind.PLAN_LAPSED: _plan_lapsed,
        NoticeKind.PLAN_RESTORED: _plan_restored,
        NoticeKind.PAYMENT_FAILED: _payment_failed,
        NoticeKind.USER_PAYS_TWICE: _user_pays_twice,
        NoticeKind.CLOSED_USER_PAYS: _closed_user_pays,
        NoticeKind.WEEKLY_REPORT: _weekly_report,
        NoticeKind.MONTHLY_REPORT: _monthly_report,
        NoticeKind.STRATEGIES_REPORT: _strategies_report,
        NoticeKind.REPORT_KEY_REFUSED: _report_key_refused,
        NoticeKind.TELEGRAM_LINKED: _telegram_linked,
        NoticeKind.TELEGRAM_UNLINKED: _telegram_unlinked,
        NoticeKind.ACCOUNT_CHANGED: _account_changed,
        NoticeKind.TELEGRAM_REPLY: _telegram_reply,
    }
)


def _where(strategy_name: str, key_name: str) -> tuple[Fact, ...]:
    facts = (Fact("Strategy", short(strategy_name)), Fact("Account", short(key_name)))
    return tuple(fact for fact in facts if fact.value)


def _figure(label: str, value: Decimal | None, unit: str) -> tuple[Fact, ...]:
    return () if value is None else (Fact(label, f"{number(value)} {unit}"),)


def _balance(values: NearMaximum | UserNearMaximum | AboveMaximum) -> tuple[Fact, ...]:
    facts = (
        Fact("Balance", usd(values.balance_usd)),
        Fact("Maximum", f"{usd(values.max_balance_usd)} (plan {short(values.plan_name)})"),
    )
    if not values.unpriced:
        return facts
    named, rest = values.unpriced[:_NAMED_ASSETS], len(values.unpriced) - _NAMED_ASSETS
    listed = ", ".join(map(short, named)) + (f" and {rest} more" if rest > 0 else "")
    return (*facts, Fact("Not counted, for want of a price", listed))
