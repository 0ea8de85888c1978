"""Tools that run beside the product: stand-ins, the local stack, the demo, benchmarks, faults. Never deployed."""
