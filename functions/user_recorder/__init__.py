"""UserRecorder: what Cognito tells of its users, kept in our table."""
