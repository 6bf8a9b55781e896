"""The gateway over a real progress server: what HTTP clients are answered."""
