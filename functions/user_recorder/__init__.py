"""UserRecorder: copies Cognito's users into our table."""
