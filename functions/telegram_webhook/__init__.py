"""TelegramWebhook: receives the commands that people send to the bot."""
