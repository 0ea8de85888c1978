"""The fault harness in short: worlds that must hold, and rules whose absence it must notice."""
