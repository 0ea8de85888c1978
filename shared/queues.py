"""The queues between the functions. A new one is declared here and in template.yaml, and nowhere else."""

from __future__ import annotations

from enum import StrEnum


class Queue(StrEnum):
    """A queue; its value is its name in AWS, after the name of the stack."""

    TRIGGERS = "triggers.fifo"
    ORDERS = "orders.fifo"
    RECONCILE = "reconcile"
    KEYS = "keys"
    BALANCES = "balances"
    IMPORTS = "imports"
    NOTICES = "notices"
    STRIPE_EVENTS = "stripe-events.fifo"
    REPORTS = "reports"
    STRATEGY_REPORTS = "strategy-reports"

    @property
    def is_fifo(self) -> bool:
        """Return whether the queue keeps the order of its message groups."""
        return self.value.endswith(".fifo")

    @property
    def url_variable(self) -> str:
        """Return the environment variable that holds the queue's URL."""
        return f"{self.name}_QUEUE_URL"

    @property
    def resource(self) -> str:
        """Return the queue's logical id in template.yaml; its URL is the output `<resource>Url`."""
        return f"{self.name.title().replace('_', '')}Queue"
