"""Writes the API's OpenAPI document from the handlers' declarations. Not deployed."""
