"""Tests that start a process or a server of their own."""
