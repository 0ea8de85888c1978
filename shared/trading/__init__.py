"""The pure trading core: signals, sizing, plans, states and bookings. No I/O, no clock, Decimal only."""
