"""The errors of the product: one class per decision a caller makes. Knows no vendor; vendors' errors become these.

LockstepError
├── OrderDenied            our decision not to place an order, with its reason
├── RecordChanged          a conditional write failed: another writer was first; read again and decide again
├── LeaseLost              another worker holds the account and symbol; stop at once
├── NotFound               no record, or no symbol, has this name
├── RequestInvalid         the request cannot be read (400)
├── RequestUnprocessable   the request can be read, but not executed (422)
├── AccessDenied           the caller is unknown (401) or not permitted (403)
├── ServiceUnavailable     maintenance, or a service that we need cannot be reached (503)
├── SecretUnreadable       a stored secret cannot be opened, however often it is tried
└── ExchangeError          the exchange's errors, by what a caller may do next
    ├── ExchangeAuthorizationFailed   the key, its permissions or its address is refused
    ├── ExchangeRejected              refused; nothing was placed or changed
    │   ├── InsufficientMargin
    │   ├── StopWouldTrigger          -2021: the market is already beyond the stop
    │   └── OrderUnknown              -2011/-2013: the exchange knows no order with this id, for now
    ├── ExchangeUnavailable           certainly not executed: refused connection, overload, ban, clock
    │   ├── AddressRestricted         451: the exchange serves nobody at our address; no key is at fault
    │   ├── ExchangeThrottled         429: too many requests from our address; wait `retry_after_s`
    │   │   ├── AddressBanned         418: send nothing until then; requests prolong the ban
    │   │   ├── WeightExhausted       our own gate: no weight is left for work of this kind
    │   │   └── OrderRateExceeded     -1015: this account sends too many orders; others are not affected
    │   └── ClockSkewed               -1021: resync the clock, then try again
    └── OutcomeUnknown                may have been executed: look it up before sending again
"""

from __future__ import annotations


class LockstepError(Exception):
    """Base of every error that the product raises on purpose."""


class OrderDenied(LockstepError):
    """Our decision not to place an order; `reason` is a code that is stored and shown."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class RecordChanged(LockstepError):
    """A conditional write failed because of another writer: read again before deciding."""


class LeaseLost(LockstepError):
    """Another worker holds the lease on an account and symbol."""


class NotFound(LockstepError):
    """No record, or no symbol, has this name."""


class RequestInvalid(LockstepError):
    """The request cannot be read; the message is the documented one."""


class RequestUnprocessable(LockstepError):
    """The request is understood and cannot be done: `faults` in the documented form, in documented order."""

    def __init__(self, faults: list[dict[str, object]]) -> None:
        super().__init__(f"{len(faults)} fault(s)")
        self.faults = faults


class AccessDenied(LockstepError):
    """The caller is unknown (`authenticated` false), or not permitted."""

    def __init__(self, message: str, *, authenticated: bool) -> None:
        super().__init__(message)
        self.authenticated = authenticated


class ServiceUnavailable(LockstepError):
    """Maintenance is on, or a service we stand on cannot be reached."""


class SecretUnreadable(LockstepError):
    """A stored secret cannot be opened, until an operator mends its record, its KMS key or our right to use it."""


class ExchangeError(LockstepError):
    """An exchange's answer; `code` is its own error code where it gave one."""

    def __init__(self, message: str = "", *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class ExchangeAuthorizationFailed(ExchangeError):
    """The key is unknown, lacks a permission, or may not be used from our address."""


class ExchangeRejected(ExchangeError):
    """The exchange refused; nothing was placed or changed."""


class InsufficientMargin(ExchangeRejected):
    """The account's margin does not carry the order (-2019, -2018)."""


class StopWouldTrigger(ExchangeRejected):
    """The market is already beyond the trigger price (-2021)."""


class OrderUnknown(ExchangeRejected):
    """The exchange knows no order with this id, for now (-2011, -2013); once proves nothing."""


class ExchangeUnavailable(ExchangeError):
    """The request was certainly not executed; it may be sent again."""


class AddressRestricted(ExchangeUnavailable):
    """The exchange serves nobody at our address (451), whatever the key."""


class ExchangeThrottled(ExchangeUnavailable):
    """Too many requests from our address (429), or its weight is used up; retry after `retry_after_s`."""

    def __init__(self, message: str = "", *, code: int | None = None, retry_after_s: float = 1.0) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class AddressBanned(ExchangeThrottled):
    """Our address is banned (418) for `retry_after_s`."""


class WeightExhausted(ExchangeThrottled):
    """Our gate admits no work of this kind now: the address's weight is used up, or held for other work."""


class OrderRateExceeded(ExchangeThrottled):
    """One account has sent too many orders (-1015); it alone must wait."""


class ClockSkewed(ExchangeUnavailable):
    """Our timestamp lies outside the exchange's window (-1021)."""


class OutcomeUnknown(ExchangeError):
    """The request may have been executed: time-out, cut connection, 5xx. Look it up before sending again."""
