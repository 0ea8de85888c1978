"""How sending a message may fail, on any channel: one error for each decision of the sender.

DeliveryError
├── DeliveryPostponed       certainly not sent: try again, after `after_s` if the service named a time
├── DeliveryRefused         certainly not sent, and never will be
│   └── ChatGone            the chat no longer accepts our messages
├── DeliveryUnknown         it may have been sent: never send it again
└── DeliveryMisconfigured   certainly not sent, and an operator must fix the configuration
"""

from __future__ import annotations

from shared.errors import LockstepError


class DeliveryError(LockstepError):
    """A message was not sent, or may not have been."""


class DeliveryPostponed(DeliveryError):
    """It was certainly not sent; it may be tried again."""

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class DeliveryRefused(DeliveryError):
    """The service refused the message for good."""


class ChatGone(DeliveryRefused):
    """The bot was blocked, or the account behind the chat is gone."""


class DeliveryUnknown(DeliveryError):
    """It may have been sent: a time-out or a cut connection after the request went out, or a fault at their end."""


class DeliveryMisconfigured(DeliveryError):
    """Our token, permissions or address are not valid."""
