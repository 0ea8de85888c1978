"""The paper exchange: an exchange in one process that speaks Binance's protocol, for development and tests.

It serves the USD-M futures paths (/fapi), the spot paths that are needed (/api/v3), a few of /sapi, and its own
control interface (/paper), on 127.0.0.1. Nobody else trades on it: prices move only when told to.
"""
