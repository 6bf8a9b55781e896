"""What leaves a server besides results: refusals, checked fields, page tokens, the error boundary."""
