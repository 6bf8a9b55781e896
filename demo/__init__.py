"""make run: a batch gets stuck and is repaired, on real processes. Uses the client only, as users do."""
