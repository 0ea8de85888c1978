"""TelegramWebhook: what people write to the bot."""
