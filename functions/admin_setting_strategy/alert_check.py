"""Says what an alert's message would do if it came now, by the webhook's own reader. Trades and stores nothing.

`alert_effects` has the words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from functions.admin_setting_strategy.alert_effects import ABSENT, NOT_READ, Alerted, effect_of_alert, effects_of_fields
from functions.admin_setting_strategy.schemas import AlertCheck, AlertMessage, CheckedField, rules_item
from shared.acceptance import interpret_alert
from shared.api.alert_fields import field_fault, is_absent, parse_alert, secret_of, take_profit_names
from shared.api.alert_json import Json, parse_alert_json
from shared.api.alert_secret import has_secret_of
from shared.api.redaction import REMOVED
from shared.clock import utc_now
from shared.errors import RequestUnprocessable
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.trading.exits import Exit
from shared.trading.sides import TriggerAction


class _NotedFields(Mapping[str, Json]):
    """The fields of a message, which note the names that the reader asks for."""

    def __init__(self, fields: Mapping[str, Json]) -> None:
        self._fields = fields
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Json:
        self.asked.add(name)
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def check_alert(strategy: Strategy, body: AlertMessage) -> AlertCheck:
    """Return what the message would do; raise RequestInvalid or RequestUnprocessable as the webhook would.

    The secret is not needed, and nothing depends on it but what is said of it.
    """
    fields = _NotedFields(parse_alert_json(body.message.encode(errors="surrogatepass"), called="message"))
    alert = parse_alert(fields)
    asked = frozenset(fields.asked)
    if alert.strategy_id != strategy.id:
        raise RequestUnprocessable([field_fault(fields, "strategy", "must be the strategy of this address")])
    if not strategy.active:
        raise RequestUnprocessable([field_fault(fields, "strategy", "must be active")])
    now = utc_now()
    instruction = interpret_alert(
        strategy, alert.instruction, StrategyAlerts.find(strategy.id), fired_at=alert.fired_at, received_at=now
    )
    alerted = Alerted(
        instruction=instruction,
        read=alert.instruction,
        fired_at=alert.fired_at,
        now=now,
        secret_matches=has_secret_of(strategy, secret_of(fields)),
        target_names=tuple(take_profit_names(fields)),
        strategy=strategy,
    )
    effects = effects_of_fields(alerted)
    return {
        "action": instruction.action if isinstance(instruction, Exit) else TriggerAction.OPEN,
        "effect": effect_of_alert(alerted),
        "fields": [_checked(name, value, asked, effects) for name, value in fields.items()],
        "rules": rules_item(strategy),
    }


def _checked(name: str, value: Json, asked: frozenset[str], effects: Mapping[str, str]) -> CheckedField:
    if name not in asked:
        effect = NOT_READ
    elif is_absent(value):
        effect = ABSENT
    else:
        effect = effects.get(name, NOT_READ)
    return {"field": name, "value": REMOVED if name == "secret" else value, "effect": effect}
