"""The queue as the reconciler reads it: the port, its gRPC client, and the reading of job lists."""
