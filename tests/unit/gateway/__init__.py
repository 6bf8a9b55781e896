"""The gateway's own rules, without a server."""
