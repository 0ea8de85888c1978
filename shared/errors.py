"""The errors of the product: one class per decision a caller makes. Knows no vendor; vendors' errors become these.

LockstepError
├── OrderDenied            our decision: the order is not placed, and the reason is kept
├── RecordChanged          a conditional write lost: somebody else moved the record first; read again and decide anew
├── LeaseLost              the account and symbol belong to another worker now; stop acting at once
├── NotFound               an id that names nothing
├── RequestInvalid         what was asked for cannot be read (400)
├── RequestUnprocessable   what was asked for can be read, and cannot be done (422)
├── AccessDenied           who asks is unknown (401) or not entitled (403)
├── ServiceUnavailable     maintenance, or a service we stand on cannot be reached (503)
└── ExchangeError          the exchange's answers, told apart by what a caller may do next
    ├── ExchangeAuthorizationFailed   the key, its permissions or its address is refused
    ├── ExchangeRejected              it said no, and nothing was placed
    │   ├── InsufficientMargin
    │   ├── StopWouldTrigger          -2021: the market is already beyond the stop
    │   └── OrderUnknown              -2011/-2013: no order with this id, as far as it knows now
    ├── ExchangeUnavailable           certainly not done: refused connection, overload, ban, clock
    │   ├── ExchangeThrottled         429: our address asks too much; wait `retry_after_s`
    │   │   ├── AddressBanned         418: nothing may be asked before; asking makes it longer
    │   │   └── OrderRateExceeded     -1015: this account sends too many orders; no other one is concerned
    │   └── ClockSkewed               -1021: resync the clock, then try again
    └── OutcomeUnknown                it may have been done: look it up before anything is sent again
"""

from __future__ import annotations


class LockstepError(Exception):
    """Base of every error that the product raises on purpose."""


class OrderDenied(LockstepError):
    """Our own decision that an order is not placed; `reason` is a code that is kept and shown."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class RecordChanged(LockstepError):
    """A conditional write lost against another writer: read again before deciding."""


class LeaseLost(LockstepError):
    """The lease on an account and symbol is held by another worker."""


class NotFound(LockstepError):
    """An id that names nothing."""


class RequestInvalid(LockstepError):
    """The request cannot be read; the message is the documented one."""


class RequestUnprocessable(LockstepError):
    """The request is understood and cannot be done: `faults` in the documented form, in documented order."""

    def __init__(self, faults: list[dict[str, object]]) -> None:
        super().__init__(f"{len(faults)} fault(s)")
        self.faults = faults


class AccessDenied(LockstepError):
    """Nobody we know (`authenticated` false), or somebody who may not."""

    def __init__(self, message: str, *, authenticated: bool) -> None:
        super().__init__(message)
        self.authenticated = authenticated


class ServiceUnavailable(LockstepError):
    """Maintenance is on, or a service we stand on cannot be reached."""


class ExchangeError(LockstepError):
    """An exchange's answer; `code` is its own error code where it gave one."""

    def __init__(self, message: str = "", *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class ExchangeAuthorizationFailed(ExchangeError):
    """The key is unknown, lacks a permission, or may not be used from our address."""


class ExchangeRejected(ExchangeError):
    """The exchange said no; nothing was placed or changed."""


class InsufficientMargin(ExchangeRejected):
    """The account's margin does not carry the order (-2019, -2018)."""


class StopWouldTrigger(ExchangeRejected):
    """The market is already beyond the trigger price (-2021)."""


class OrderUnknown(ExchangeRejected):
    """No order with this id as far as the exchange knows now (-2011, -2013); said once, it proves nothing."""


class ExchangeUnavailable(ExchangeError):
    """The request was certainly not carried out; it may be sent again."""


class ExchangeThrottled(ExchangeUnavailable):
    """Too many requests from our address (429), or its weight is spoken for; ask again after `retry_after_s`."""

    def __init__(self, message: str = "", *, code: int | None = None, retry_after_s: float = 1.0) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class AddressBanned(ExchangeThrottled):
    """Our address is banned (418) for `retry_after_s`."""


class OrderRateExceeded(ExchangeThrottled):
    """One account has sent too many orders (-1015); it alone must wait."""


class ClockSkewed(ExchangeUnavailable):
    """Our timestamp lies outside the exchange's window (-1021)."""


class OutcomeUnknown(ExchangeError):
    """The request may have been carried out: time-out, cut connection, 5xx. Look it up before sending again."""
