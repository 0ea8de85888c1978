"""Notices to people: what is said and in which words, by Telegram and by e-mail, once for each cause."""
