"""Takes Stripe's signed events: stores each once, queues it, and answers. Applies none."""
