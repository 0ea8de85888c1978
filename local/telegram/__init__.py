"""A stand-in for Telegram: the Bot API's methods that the product uses, its limits, and a chat to write from.

`server` speaks HTTP, `chats` keeps what was sent and judges it, `markup` reads Telegram's HTML. Beside the API it
answers on `/stand-in/…`, where tests read what came in, make it fail, and send the bot what a person would.
"""

from typing import Final

BOT_TOKEN: Final = "1234567890:local-stand-in"  # noqa: S105 - nobody's: it opens this stand-in only
"""The one token that it takes."""

WEBHOOK_SECRET: Final = "local-webhook-secret"  # noqa: S105 - of the local stack, and of the sample events
LINK_KEY: Final = "local-key-that-signs-links-to-a-chat"

BOT_NAME: Final = "lockstep_local_bot"
