"""RQ jobs as users write them."""

from rq import Retry, get_current_job


def succeed() -> str:
    """Succeed with a return value that nobody reads."""
    return "x" * 1_000


def fail() -> None:
    """Fail permanently."""
    raise ValueError("no such row")


def succeed_at_second_attempt() -> int | Retry:
    """Request a retry once, then succeed."""
    job = get_current_job()
    assert job is not None
    return job.number_of_retries or Retry(max=2)
