"""The deferred jobs that RQ will not run."""

import pytest

from services.job_status.sources.rq_dependencies import (
    DEFERRED,
    LEVELS_MAX,
    Dependent,
    never_run,
    parse_dependent,
)
from services.job_status.sources.unreadable import Unreadable


def behind(*ids: str, allows_failure: bool = False) -> Dependent:
    """Return a deferred job that depends on these."""
    return Dependent(DEFERRED, ids, allows_failure)


@pytest.mark.parametrize(
    ("status", "skipped"),
    [
        (b"failed", {"behind", "further"}),
        (b"canceled", {"behind", "allowing", "further", "both"}),
        (b"stopped", {"behind", "allowing", "further", "both"}),
        (b"finished", set()),
        (b"started", set()),
        (b"scheduled", set()),
        (None, set()),
    ],
)
def test_jobs_behind_one_without_success_never_run(status: bytes | None, skipped: set[str]) -> None:
    """One that allows a failure runs after a failed job, but not after one that never ends."""
    jobs = {
        "first": Dependent(status),
        "behind": behind("first"),
        "allowing": behind("first", allows_failure=True),
        "both": behind("free", "first", allows_failure=True),
        "further": behind("behind", allows_failure=True),
        "free": Dependent(b"queued"),
        "elsewhere": behind("free", "not known"),
        "in a circle": behind("in a circle"),
    }
    assert never_run(jobs) == skipped


def test_a_long_row_of_dependencies_is_followed_to_the_limit() -> None:
    """The counts and every page of the listing agree, since only the distance decides."""
    jobs = {str(number): behind(str(number - 1)) for number in range(1, 2 * LEVELS_MAX)}
    jobs["0"] = Dependent(b"failed")
    assert never_run(jobs) == {str(number) for number in range(1, LEVELS_MAX + 1)}


def test_dependencies_are_those_of_a_deferred_job() -> None:
    """Those of any other job have had their effect."""
    assert parse_dependent([DEFERRED, b'["a", "b"]', b"1"]) == behind("a", "b", allows_failure=True)
    assert parse_dependent([DEFERRED, None, b"0"]) == behind()
    assert parse_dependent([b"failed", b'["a"]', None]) == Dependent(b"failed")
    assert parse_dependent(None) == Dependent(None)


@pytest.mark.parametrize("ids", [b"[", b"{}", b"[1]", b'["\\udce9"]', b"\xff", b"[" * 100_000, b"9" * 5_000])
def test_dependencies_that_are_not_ids_are_unreadable(ids: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_dependent([DEFERRED, ids, None])
