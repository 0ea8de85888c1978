"""Notices to people, by Telegram and e-mail: their values, their texts and their delivery, once for each cause."""
