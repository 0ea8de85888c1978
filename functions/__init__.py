"""One folder per Lambda: app.py (routes or records), service.py (the use case), schemas.py (the edge)."""
