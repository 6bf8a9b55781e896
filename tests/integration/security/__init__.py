"""Who is let in, what strangers learn, and what is seen of a server."""
