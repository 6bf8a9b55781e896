"""How database servers are found for tests."""
