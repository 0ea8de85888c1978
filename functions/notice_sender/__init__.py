"""NoticeSender: sends what was recorded, by Telegram and by e-mail."""
