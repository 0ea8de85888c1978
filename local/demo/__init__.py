"""The alert that `make run` fires, and what the business around it does: read from a stack that is up."""
