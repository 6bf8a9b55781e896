"""Integrations with job queues, through their own hooks. Each needs the extra of its name."""
