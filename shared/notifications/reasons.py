"""The text of each reason why a trade was refused or closed, and which refusals users are notified of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shared.trading.execution import CloseReason, DenialReason, Reason, exchange_reason

_R = DenialReason
_C = CloseReason


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal that users are notified of."""

    text: str
    persistent: bool = False
    """It refuses every alert until somebody changes something, so its notice is sent once a day, not per alert."""
    once: bool = False
    """It refuses every alert until a time that its detail names; its notice is sent once for that."""


REFUSALS: Final[Mapping[str, Refusal | None]] = MappingProxyType(
    {
        # The user's own choice, or a choice that had a notice of its own.
        _R.FOLLOWER_INACTIVE: None,
        _R.EXITS_ONLY: None,
        _R.USER_DISABLED: None,
        _R.STRATEGY_INACTIVE: None,
        _R.CLOSE_REQUESTED: None,
        # Nothing is missed: there is a newer alert, or a position already.
        _R.SUPERSEDED: None,
        _R.ALREADY_IN_POSITION: None,
        _R.LOSS_LIMIT: Refusal(
            "Your account's losses have reached the limit that you have set. New positions are opened again when "
            "enough of the losses are older than the limit's 24 hours or 7 days.",
            once=True,
        ),
        _R.PLAN_WITHOUT_AUTOMATION: Refusal("Your plan does not include automated strategies.", persistent=True),
        _R.PLAN_LAPSED: Refusal("Your plan is no longer paid for. Renew it to trade on.", persistent=True),
        _R.BALANCE_OVER_PLAN_MAXIMUM: Refusal(
            "Your balance is above your plan's maximum. A larger plan, or a smaller balance, lets you trade on.",
            persistent=True,
        ),
        _R.KEY_INACTIVE: Refusal(
            "Your exchange key is not active: it was switched off, or the exchange has refused it.", persistent=True
        ),
        _R.KEY_NOT_FUTURES: Refusal("Your exchange key is not for futures.", persistent=True),
        _R.KEY_UNAUTHORIZED: Refusal(
            "The exchange refuses your key. Check that it exists, may trade futures and is bound to our address.",
            persistent=True,
        ),
        _R.HEDGE_MODE: Refusal("Your account is in hedge mode. Switch it to one-way mode.", persistent=True),
        _R.MULTI_ASSETS_MARGIN: Refusal(
            "Your account is in multi-assets mode, which is not supported. Switch it to single-asset mode if the "
            "exchange lets you. An account that trades with credits (BNFCR) cannot leave the mode: use another "
            "account.",
            persistent=True,
        ),
        _R.PORTFOLIO_MARGIN: Refusal("Your account uses portfolio margin, which is not supported.", persistent=True),
        _R.FUTURES_DISABLED: Refusal("Futures trading is not enabled for your exchange key.", persistent=True),
        _R.WITHDRAWALS_ENABLED: Refusal(
            "Your exchange key may withdraw. For your safety, take that permission away.", persistent=True
        ),
        _R.ACCOUNT_UNKNOWN: Refusal(
            "We have not been able to check which exchange account your key leads to. It is being checked now."
        ),
        _R.ACCOUNT_IN_USE: Refusal(
            "Another key of the same exchange account has a position in this symbol. One account follows with one key.",
            persistent=True,
        ),
        _R.STALE: Refusal("The alert reached your account too late to be acted on."),
        _R.PRICE_MOVED: Refusal("The market had moved too far from the alert's price."),
        _R.FOREIGN_POSITION: Refusal(
            "Your account holds a position or orders in this symbol that are not ours.", persistent=True
        ),
        _R.PREVIOUS_POSITION_OPEN: Refusal("The previous position was not closed yet."),
        _R.SYMBOL_NOT_TRADING: Refusal("The exchange does not trade this symbol at the moment."),
        _R.NO_EQUITY: Refusal("Your futures account is empty.", persistent=True),
        _R.NO_AVAILABLE_MARGIN: Refusal("Your account has no margin available."),
        _R.BELOW_MINIMUM: Refusal("The amount for your balance and risk is below the exchange's minimum."),
        _R.STOP_CROSSED: Refusal("The market was already beyond the stop."),
        _R.TARGET_PASSED: Refusal("The market had already passed the take-profits."),
        _R.STOP_BEHIND_LIQUIDATION: Refusal("The stop lies behind your account's liquidation price."),
        _R.HALTED: Refusal("New positions are halted at the moment."),
        _R.WEIGHT_EXHAUSTED: Refusal("The exchange's limit of requests was reached."),
        # Not our denials: the outcome at the exchange.
        Reason.EXCHANGE_UNAVAILABLE: Refusal("The exchange could not be reached."),
        exchange_reason(-2019): Refusal("Your account has not enough margin."),
        # Only the account's owner can change what led to these.
        exchange_reason(-2027): Refusal(
            "The exchange allows no position of this size at your leverage. Choose a lower leverage for this symbol at "
            "the exchange.",
            persistent=True,
        ),
        exchange_reason(-4192): Refusal(
            "Trading is blocked on your account by a cooling-off period. It goes on when the exchange ends the period.",
            persistent=True,
        ),
        exchange_reason(-4400): Refusal(
            "The exchange finds its trading rules broken on your account, and lets it only close positions for now. "
            "The exchange's futures page says why and until when.",
            persistent=True,
        ),
        exchange_reason(-4411): Refusal(
            "Your account may not trade this product before you sign the exchange's agreement for it. Open the symbol "
            "on the exchange's page and sign there.",
            persistent=True,
        ),
        Reason.SECRET_UNREADABLE: Refusal(
            "We cannot open the secret of your exchange key that we hold. We are looking into it.", persistent=True
        ),
        Reason.NOT_FILLED: Refusal("The exchange did not fill the order."),
    }
)

_UNTOLD: Final[Mapping[str, str]] = MappingProxyType(
    {
        _R.FOLLOWER_INACTIVE: "You do not follow the strategy any more, or an administrator has switched it off.",
        _R.EXITS_ONLY: "You let the strategy close positions only. Set the mode to ACTIVE to open new ones.",
        _R.USER_DISABLED: "Your account is disabled. Ask us why.",
        _R.STRATEGY_INACTIVE: "The strategy is not active at the moment.",
        _R.CLOSE_REQUESTED: "A close was requested.",
        _R.SUPERSEDED: "There is a newer alert.",
        _R.ALREADY_IN_POSITION: "A position is open already.",
    }
)
"""The denials that no notice tells of."""


def text_of(reason: DenialReason) -> str:
    """Return what a user who asks is told of a reason for a denial."""
    refusal = REFUSALS[reason]
    return refusal.text if refusal is not None else _UNTOLD[reason]


REJECTED: Final = Refusal("The exchange refused the order.")
"""The exchange refused the order for another reason; its code is in the records."""

FAILED: Final = Refusal("Something went wrong on our side. We are looking into it.")

CLOSE_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        _C.STOP: "The stop closed it.",
        _C.TAKE_PROFIT: "The take-profits closed it.",
        _C.TRAILING: "The trailing stop closed it.",
        _C.OPPOSITE: "The strategy turned to the other side.",
        _C.EXIT_ALERT: "The strategy left the position.",
        _C.ADMIN: "An administrator closed it.",
        _C.USER: "You had it closed.",
        _C.LOSS_LIMIT: "Your account's losses reached the limit that you have set.",
        _C.MANUAL: "It was closed on your account, not by us.",
        _C.LIQUIDATION: "The exchange liquidated it.",
        _C.AUTO_DELEVERAGED: "The exchange closed it by auto-deleveraging.",
        _C.DELISTED: "The exchange settled the contract: it was taken off the list, or reached its date.",
        _C.FLATTENED: "It was closed at once, because its stop could not be placed.",
    }
)

CLOSE_REASON_UNKNOWN: Final = "It is closed; the exchange's books do not show how."

ENTRY_NOT_CONFIRMED: Final = Refusal("The exchange did not confirm the order, and no position came of it.")
"""An entry whose answer was lost, and that opened no position."""

WITHOUT_POSITION: Final[Mapping[str, Refusal]] = MappingProxyType(
    {
        _C.ENTRY_UNKNOWN: ENTRY_NOT_CONFIRMED,
        **{reason: refusal for reason, refusal in REFUSALS.items() if refusal is not None},
    }
)
"""The ends of executions whose entry had no answer at first, and opened nothing in the end."""
