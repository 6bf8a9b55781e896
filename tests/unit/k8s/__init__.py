"""The rules that the manifests in k8s/ and the image in Containerfile keep."""
