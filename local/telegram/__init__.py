"""A stand-in for Telegram: the Bot API's methods that the product uses, its limits, and chats to write from.

`server` is the HTTP server, `chats` checks and stores messages, `markup` reads Telegram's HTML. Beside the API it
answers on `/stand-in/…`: tests read the received messages, make the next ones fail, and write to the bot as a person.
"""

from typing import Final

BOT_TOKEN: Final = "1234567890:local-stand-in"  # noqa: S105 - valid for this stand-in only
"""The only token that it accepts."""

WEBHOOK_SECRET: Final = "local-webhook-secret"  # noqa: S105 - of the local stack, and of the sample events
LINK_KEY: Final = "local-key-that-signs-links-to-a-chat"

BOT_NAME: Final = "lockstep_local_bot"
