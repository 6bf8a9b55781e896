"""How a gRPC deployable runs: server, security, health, admin ports, background tasks, drain."""
