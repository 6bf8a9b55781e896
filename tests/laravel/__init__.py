"""Real Laravel applications with real workers, and what we make of their batches."""
