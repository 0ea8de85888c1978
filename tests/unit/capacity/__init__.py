"""The figures of `make capacity`, made by hand."""
