"""Exports tables to S3 every month, and fails where an export has failed."""
