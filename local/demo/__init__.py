"""The demo of `make run`: fires an alert on a running stack, and shows its results and the messages about them."""
