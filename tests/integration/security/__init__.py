"""Authentication, authorization, limits, TLS and health of servers."""
