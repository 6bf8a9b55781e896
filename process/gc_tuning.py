"""Tuning of Python's garbage collector for processes that allocate millions of small objects."""

import gc

ALLOCATIONS_BETWEEN_COLLECTIONS = 50_000
"""About what a full group of results allocates, so that each object is examined about once. With Python's
default of 700, a sixth of a server's time under load was spent on examining results that were still in use.
50,000 objects take some 10 MB."""


def tune_gc() -> None:
    """Exempt everything allocated so far from collections, and collect less often.

    There is no last collection before: it would take 25 ms, and free some 100 kB.
    """
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS)
