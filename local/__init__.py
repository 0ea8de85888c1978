"""What `make run` starts beside the product: stand-ins and the embedded stack. Never deployed."""
