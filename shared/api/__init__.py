"""What every API function shares: who gets in, how requests are read, how answers are given. Knows no endpoint."""
