"""Jobs as users of RQ write them."""

from rq import Retry, get_current_job


def well() -> str:
    """Succeed, and return something that nobody reads."""
    return "x" * 1_000


def badly() -> None:
    """Fail for good."""
    raise ValueError("no such row")


def at_the_second_try() -> int | Retry:
    """Ask for another try once, then succeed."""
    job = get_current_job()
    assert job is not None
    return job.number_of_retries or Retry(max=2)
