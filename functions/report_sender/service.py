"""Fans a period's reports out to the users, page by page, and reports to one user. NoticeSender sends the notices.

Every message may be delivered again at any time: a repeated page queues its users again, and a user's report is a
notice, which is sent once for each kind, period and user.
"""

from __future__ import annotations

from datetime import date
from typing import assert_never

from functions.report_sender.chart import draw_curve
from functions.report_sender.periods import Period, last_period
from functions.report_sender.report_data import collect_report_data
from shared.clock import utc_now
from shared.messages import Report, ReportMessage, ReportPageMessage, send_reports
from shared.models.base import LISTED
from shared.models.notice import InlineImage
from shared.models.user import User
from shared.notifications.notice_types import MonthlyReport, WeeklyReport
from shared.notifications.notices import is_switched_on, notify
from shared.notifications.recipients import to_user
from shared.notifications.report_values import ASSET
from shared.notifications.templates import EQUITY_IMAGE
from shared.observability import count_outcome, logger

PAGE_SIZE = 100

_KINDS: dict[Report, type[WeeklyReport | MonthlyReport]] = {Report.WEEKLY: WeeklyReport, Report.MONTHLY: MonthlyReport}


def start_reports(report: Report, *, before: date) -> Period | None:
    """Queue the first page of the last period before a day, and return the period; None while the switch is off."""
    period = last_period(report, before=before)
    if not is_switched_on(_KINDS[report].kind):
        logger.info("reports_switched_off", report=report)
        return None
    send_reports([_page_message(period, after="")])
    logger.info("reports_begun", report=report, period=period.cause)
    return period


def fan_out_page(message: ReportPageMessage) -> None:
    """Queue a report for each user of a page, then the next page."""
    period = _period(message)
    # Users are listed in the order of sign-up, which never changes: a page begins where the last one ended.
    condition = User.created_key > message.after if message.after else None
    found = list(User.by_created.query(LISTED, condition, limit=PAGE_SIZE))
    send_reports([_report_message(period, user_id=user.id) for user in found])
    if len(found) == PAGE_SIZE:
        send_reports([_page_message(period, after=found[-1].created_key)])
    logger.info("reports_spread", report=period.report, period=period.cause, users=len(found))


def create_report(message: ReportMessage) -> None:
    """Notify a user of the period's results, unless they opted out or closed no trade."""
    period = _period(message)
    user = User.find(message.user_id)
    if user is None or not _wants(user, period.report):
        _log_skipped(period, message.user_id, why="unknown" if user is None else "unwanted")
        return
    found = collect_report_data(user.id, period)
    if found is None:
        _log_skipped(period, user.id, why="no_trades")
        return
    curve = InlineImage(EQUITY_IMAGE, draw_curve(found.levels, first_day=period.first_day, asset=ASSET))
    notify(
        _KINDS[period.report](figures=found.figures),
        to=to_user(user.id),
        cause=period.cause,
        at=utc_now(),
        images=[curve],
    )
    count_outcome("report_made")


def _wants(user: User, report: Report) -> bool:
    match report:
        case Report.WEEKLY:
            return user.wants_weekly_report
        case Report.MONTHLY:
            return user.wants_monthly_report
        case _:
            assert_never(report)


def _log_skipped(period: Period, user_id: str, *, why: str) -> None:
    logger.info("report_left_out", report=period.report, period=period.cause, user_id=user_id, why=why)


def _page_message(period: Period, *, after: str) -> ReportPageMessage:
    return ReportPageMessage(period.report, period.first_day.isoformat(), period.last_day.isoformat(), after)


def _report_message(period: Period, *, user_id: str) -> ReportMessage:
    return ReportMessage(period.report, period.first_day.isoformat(), period.last_day.isoformat(), user_id)


def _period(message: ReportPageMessage | ReportMessage) -> Period:
    return Period(message.report, date.fromisoformat(message.first_day), date.fromisoformat(message.last_day))
