"""Metrics, logs and traces of a server, and the alerts and dashboards that use them."""
