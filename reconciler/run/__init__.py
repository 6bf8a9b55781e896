"""One pass: the lease, the workers, the repair of each batch, the deadline and the result."""
