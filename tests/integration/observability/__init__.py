"""What is seen of a server from outside: metrics, logs, traces, and the files that read them."""
