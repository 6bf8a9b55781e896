"""The queue as the reconciler reads it: the port, its gRPC client, and a listing of jobs."""
