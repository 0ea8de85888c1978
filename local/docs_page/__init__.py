"""The browsable page of the API, served on the local API's own address. Not deployed."""
