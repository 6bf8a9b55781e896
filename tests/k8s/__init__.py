"""The manifests on a real API server: `make test-k8s`."""
