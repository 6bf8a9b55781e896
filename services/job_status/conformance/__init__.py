"""The contract of JobStatusService as checks over gRPC, for a service in any language."""
