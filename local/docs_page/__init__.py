"""The browsable page of the API, on the address of the local API itself. No part of the deployment."""
