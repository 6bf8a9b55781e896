"""The channel, retries and error details of gRPC. Private: may change in any version."""
