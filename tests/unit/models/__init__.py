"""The tables, on an in-process AWS."""
