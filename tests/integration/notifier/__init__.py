"""The notifier over a real database and a real receiver."""
