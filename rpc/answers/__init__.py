"""What a server sends besides results: refusals, field violations and page tokens."""
