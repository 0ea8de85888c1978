"""How handing a message over may end, whichever way it goes: one error for each thing that the sender does next.

DeliveryError
├── DeliveryPostponed       certainly not sent: try again, after `after_s` if the other side named a time
├── DeliveryRefused         certainly not sent, and never will be
│   └── ChatGone            the chat takes nothing from us any more
├── DeliveryUnknown         it may have been sent: never send it again
└── DeliveryMisconfigured   certainly not sent, and an operator must set something right first
"""

from __future__ import annotations

from shared.errors import LockstepError


class DeliveryError(LockstepError):
    """A message was not, or not certainly, handed over."""


class DeliveryPostponed(DeliveryError):
    """It was certainly not sent; it may be tried again."""

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class DeliveryRefused(DeliveryError):
    """The other side said no, for good."""


class ChatGone(DeliveryRefused):
    """The bot was blocked, or the account behind the chat is gone."""


class DeliveryUnknown(DeliveryError):
    """It may have been sent: a time-out or a cut connection after the request went out, or a fault at their end."""


class DeliveryMisconfigured(DeliveryError):
    """Our token, our rights or our address are not good."""
