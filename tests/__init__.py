"""The rules of Batch Progress, as tests."""
