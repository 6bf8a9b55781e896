"""The old name of the gateway's page, for one version: `python -m services.gateway` serves it now."""
