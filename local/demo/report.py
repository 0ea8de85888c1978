"""The demo's weekly report: switched on and sent as on AWS, then written to a file for a browser."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import boto3

from local.demo import json_http
from local.stack.places import ROOT, Places
from shared.config import settings
from shared.models.notice import Channel, InlineImage, Notice
from shared.models.user import User
from shared.notifications.notice_types import NoticeKind
from shared.notifications.notices import notice_id
from shared.notifications.recipients import to_user

FILE = "weekly-report.html"

_TIMEOUT_S = 60


def report(session: Mapping[str, str], user_id: str, *, function: str) -> str:
    """Send the weekly reports, and return a line about one user's, which is of made-up days."""
    return _wait_for_letter(session, user_id, _begin_reports(session, function))


def _begin_reports(session: Mapping[str, str], function: str) -> str:
    """Switch the weekly report on, as an admin does, invoke the function as scheduled, and return the period."""
    address = f"{session['api']}/v1/admin/setting/notification"
    json_http.send("PUT", address, {"notifyWeeklyReport": True}, {"Authorization": session["adminToken"]})
    client: Any = boto3.client("lambda", region_name=settings().aws_region)
    answer = client.invoke(FunctionName=function, Payload=json.dumps({"report": "WEEKLY"}))
    period: str = json.load(answer["Payload"])["period"]
    return period


def _wait_for_letter(session: Mapping[str, str], user_id: str, period: str) -> str:
    """Write the user's letter to FILE in `.local`, and return a line with its path, or that none came."""
    user, file = User.get(user_id), Places.of(session).output(FILE)
    report_id = notice_id(NoticeKind.WEEKLY_REPORT, to_user(user.id), period)
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        notice = Notice.find(report_id)
        found = [one for one in letters(session["aws"], user.email) if "Your week" in one["Subject"]]
        if notice is not None and found:
            images = [InlineImage(image.name, image.png) for image in notice.images]
            file.write_text(with_images(found[-1]["BodyHtml"], images), encoding="utf-8")
            return f"{found[-1]['Subject'].removeprefix('Lockstep: ')}, of made-up days; see {_short(file)}"
        # With kept data: SES loses its letters when the stack stops.
        if notice is not None and not notice.is_due(Channel.EMAIL):
            return "sent in an earlier run, and not again"
        time.sleep(0.1)
    return f"nothing within {_TIMEOUT_S} s"


def letters(aws_url: str, address: str) -> list[dict[str, Any]]:
    """Return the letters that the embedded SES has sent to an address."""
    found = json_http.get(f"{aws_url}/_ministack/ses/messages")["messages"]
    return [one for account in found.values() for one in account if address in one["To"]]


def with_images(html: str, images: Iterable[InlineImage]) -> str:
    """Return a letter's HTML with its images embedded, since a browser cannot read a letter's attachments."""
    for image in images:
        data = base64.b64encode(image.png).decode()
        html = html.replace(f'"cid:{image.name}"', f'"data:image/png;base64,{data}"')
    return html


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT))
