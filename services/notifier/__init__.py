"""The notifier: sends the events of batches to webhooks, at least once and in order."""
