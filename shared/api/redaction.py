"""Takes out of a request whatever may be a secret, wherever it stands. Prefers to take too much."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from shared.api import grammar

REMOVED: Final = "[removed]"

_SECRET_NAME = re.compile(
    r"secret|passw|passphrase|token|api.?key|private.?key|auth|signature|credential", re.IGNORECASE
)
_LONG_WORD = re.compile(r"[A-Za-z0-9_+/=-]{24,}")
"""Keys and secrets are long words without a blank; ours have 43 characters."""
_SHORTEST_SECRET: Final = 4
"""What is shorter stands in many words by chance."""


def redact(fields: Mapping[str, Any], *, known: Collection[str]) -> dict[str, Any]:
    """Return the fields of a request without secrets: values of `known` names stay, numbers and UUIDs as they are.

    Removed are the values of all other names and whatever is nested, since nobody knows what they hold. Of texts that
    stay, values of names that tell of a secret are removed, and long words.
    """
    secrets = sorted(_secrets_in(fields, named=False), key=len, reverse=True)
    return {
        _redact_text(name, secrets): _redact(value, secrets) if name in known else REMOVED
        for name, value in fields.items()
    }


def _secrets_in(value: Any, *, named: bool) -> set[str]:
    """Return the texts below names that tell of a secret."""
    match value:
        case str():
            found = {value, value.strip()} if named else set()
            return {one for one in found if len(one) >= _SHORTEST_SECRET}
        case Mapping():
            parts = [_secrets_in(part, named=named or _tells_of_secret(name)) for name, part in value.items()]
            return set().union(*parts)
        case list():
            return set().union(*(_secrets_in(part, named=named) for part in value))
        case _:
            return set()


def _tells_of_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _redact(value: Any, secrets: list[str]) -> Any:
    match value:
        case str():
            return _redact_text(value, secrets)
        case Mapping() | list():
            return REMOVED
        case _:
            return value


def _redact_text(text: str, secrets: list[str]) -> str:
    redacted = text
    for secret in secrets:
        redacted = redacted.replace(secret, REMOVED)
    redacted = _LONG_WORD.sub(lambda word: word[0] if grammar.parse_uuid(word[0]) else REMOVED, redacted)
    # The same object where nothing was removed: a number stays one.
    return text if redacted == text else redacted
