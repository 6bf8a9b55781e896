"""Commands for an installation on Kubernetes: `python -m k8s.deploy` and `python -m k8s.new_secrets`."""
