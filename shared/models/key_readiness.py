"""Table `key_readiness`: the last verdict on each exchange key, from an inspection or an entry. Judges nothing.

It shows operators in advance which keys would be denied, and what was known of a key when it was first traded. A
verdict of the last hour denies entries before their account is read; none admits one.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from pynamodb.attributes import JSONAttribute, UnicodeAttribute

from shared.models.attributes import TimeAttribute, text_list
from shared.models.base import SCHEMA_VERSION, Table, TableName, conditional_write
from shared.models.exchange_key import ExchangeKey
from shared.observability import count_outcome, logger
from shared.trading.execution import DenialReason
from shared.trading.readiness import KeyPermissions, Verdict, denial_of, is_current

MARGIN_ASSETS = "margin_assets"
"""The detail that names the assets whose wallets were read."""


class KeyReadiness(Table):
    """The last verdict on one key, and whether a later inspection failed."""

    class Meta:
        table_name = TableName("key_readiness")

    api_key_id = UnicodeAttribute(hash_key=True)
    api_key = UnicodeAttribute(null=True)
    """The API key that was inspected: the verdict is invalid once its owner has replaced it."""
    checked_at = TimeAttribute(null=True)
    """When the inspection began; None while all inspections have failed."""
    reasons = text_list(null=True)
    """Why the key may not be traded; empty if it is ready."""
    warnings = text_list(null=True)
    details: JSONAttribute = JSONAttribute(null=True)
    """The values that were read, by name."""
    failed_at = TimeAttribute(null=True)
    """When an inspection last failed, after the verdict. Cleared by the next verdict."""
    failure = UnicodeAttribute(null=True)

    def is_valid_for(self, key: ExchangeKey, *, now: datetime) -> bool:
        """Return whether there is a valid verdict on this API key."""
        return self.api_key == key.api_key and is_current(self.checked_at, now=now)

    def denial(self, key: ExchangeKey, *, quote: str, now: datetime) -> DenialReason | None:
        """Return why the verdict denies an entry that is paid in `quote`; None if the account must be read to know."""
        if self.api_key != key.api_key:
            return None
        read = (self.details or {}).get(MARGIN_ASSETS, ())
        return denial_of(self.reasons or (), self.checked_at, margin_assets=read, quote=quote, now=now)

    def permissions(self, key: ExchangeKey, *, now: datetime) -> KeyPermissions | None:
        """Return the permissions that a valid verdict on this API key has read, if there is one."""
        names = [field.name for field in fields(KeyPermissions)]
        details = self.details or {}
        if not self.is_valid_for(key, now=now) or not all(name in details for name in names):
            return None
        return KeyPermissions(**{name: details[name] for name in names})

    def checked_since(self, key: ExchangeKey, moment: datetime) -> bool:
        """Return whether this API key has been inspected since then."""
        return self.api_key == key.api_key and self.checked_at is not None and self.checked_at >= moment

    @classmethod
    def record(cls, key: ExchangeKey, verdict: Verdict, *, details: dict[str, Any], checked_at: datetime) -> None:
        """Store a verdict unless there is a later one, and count it once."""
        newer = cls.checked_at.does_not_exist() | (cls.checked_at < checked_at) | (cls.api_key != key.api_key)
        with conditional_write() as write:
            cls(key.id).update(
                actions=[
                    cls.api_key.set(key.api_key),
                    cls.checked_at.set(checked_at),
                    cls.reasons.set([reason.value for reason in verdict.reasons]),
                    cls.warnings.set([warning.value for warning in verdict.warnings]),
                    cls.details.set(details),
                    cls.failed_at.remove(),
                    cls.failure.remove(),
                    cls.schema_version.set(SCHEMA_VERSION),
                ],
                condition=newer,
            )
        if write.applied:
            _report(key, verdict)

    @classmethod
    def record_failure(cls, key: ExchangeKey, failure: str, *, failed_at: datetime) -> None:
        """Record that an inspection failed; the last verdict stays."""
        version = cls.schema_version.set(SCHEMA_VERSION)
        cls(key.id).update(actions=[cls.failed_at.set(failed_at), cls.failure.set(failure), version])
        logger.error("key_not_inspected", api_key_id=key.id, failure=failure)
        count_outcome("key_not_inspected")


def _report(key: ExchangeKey, verdict: Verdict) -> None:
    reasons = [reason.value for reason in verdict.reasons]
    warnings = [warning.value for warning in verdict.warnings]
    if verdict.ready:
        logger.info("key_ready", api_key_id=key.id, warnings=warnings)
        count_outcome("key_ready")
    else:
        logger.warning("key_refused", api_key_id=key.id, reasons=reasons, warnings=warnings)
        # A key is counted once, under the gravest reason.
        count_outcome("key_refused", reason=reasons[0])
    for warning in warnings:
        count_outcome("key_warned", warning=warning)
