"""The configurations of deploy/ for proxies, with real proxies: `make test-proxies`."""
