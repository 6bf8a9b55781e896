"""What operators see of a server: metrics, call logs and traces."""
