"""Shared by the API functions: authentication, parsing of requests, and answers. Knows no endpoint."""
