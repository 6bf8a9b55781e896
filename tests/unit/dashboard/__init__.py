"""The dashboard's own rules, without a server."""
