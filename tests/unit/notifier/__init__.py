"""The notifier's own rules, without a database or a receiver."""
