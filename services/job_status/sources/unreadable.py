"""A single job that cannot be read is pending, and its problem says why. Other jobs are not affected."""

from collections.abc import Callable

from services.job_status.source import JobStatus


class Unreadable(Exception):
    """What the queue stores of one job cannot be read.

    Args:
        problem: what is wrong, as a sentence without a full stop. It never contains data read from the queue.

    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def status_or_problem(job_id: str, parse: Callable[[], JobStatus]) -> JobStatus:
    """Return the job that `parse` returns; one that it cannot read is pending, with the problem."""
    try:
        return parse()
    except Unreadable as error:
        return JobStatus(job_id, None, problem=error.problem)
