"""Python's garbage collector, set for a process that makes the same small things a million times."""

import gc

ALLOCATIONS_BETWEEN_COLLECTIONS = 50_000
"""What a full group of results makes, so that it is looked at about once. With Python's own 700 a sixth of
a server's time under load went into looking at results still in use; 50,000 objects are some 10 MB."""


def settle() -> None:
    """Look at what has been made so far once more and never again, and from now on less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS)
