"""How one gRPC deployable runs: the server, its guard, health, admin ports and drain."""
