"""Writes the API's OpenAPI document from what the handlers declare. No part of the deployment."""
