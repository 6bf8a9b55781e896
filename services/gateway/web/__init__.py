"""How the gateway serves HTTP: connections, hosts, TLS. Nothing here knows what is served."""
