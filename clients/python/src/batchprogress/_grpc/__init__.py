"""The channel, retries and error details of gRPC. Private: may change in any version."""

from batchprogress._grpc.fork_switch import without_fork_handlers

with without_fork_handlers():
    import grpc  # noqa: F401  # before another module of this package does
