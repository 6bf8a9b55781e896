"""A conformance suite for implementations of JobStatusService in any language; it checks them over gRPC."""
