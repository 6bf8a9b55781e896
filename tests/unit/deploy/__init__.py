"""Deployment without Kubernetes: systemd units and the compose file."""
