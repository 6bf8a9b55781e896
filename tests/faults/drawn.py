"""What the state machine of fault 11 draws for its calls."""

from hypothesis import strategies as st

from batches.new_batch import IfEnded
from batches.result import JobOutcome

BATCHES = st.sampled_from((0, 0, 0, 1))
"""Two batches in each example, to show that they do not affect each other; the second is used rarely, so that
the few steps of an example reach interesting states."""
SELDOM = st.sampled_from((False, False, False, False, True))
JOBS = st.integers(0, 7)
TOTALS = st.integers(0, 6)
"""Fewer than the number of job ids, so that batches fill, complete and overflow within a few steps."""
ATTEMPTS = st.integers(1, 3)
REQUESTS = st.integers(0, 2)
IF_ENDED = st.sampled_from(IfEnded)
CREATED = st.tuples(TOTALS, st.booleans(), st.sampled_from((None, None, ("jobs", 1), ("percent", 40))))
"""Total, seal and failure limit."""
OUTCOMES = st.sampled_from(JobOutcome)
RESULTS = st.tuples(JOBS, ATTEMPTS, OUTCOMES)
Result = tuple[int, int, JobOutcome]
"""Job, attempt, outcome."""
