"""The manifests applied to a real API server (`make test-k8s`)."""
