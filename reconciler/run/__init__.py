"""One pass: select stuck batches, look at each, write the repairs, keep within the deadline."""
