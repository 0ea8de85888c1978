"""Users connect keys and follow strategies, on the embedded AWS and the paper exchange."""
