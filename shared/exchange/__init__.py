"""The border to the exchange: ccxt stays in here, and so do the exchange's words. Decides nothing about trades."""
