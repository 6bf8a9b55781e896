"""What a job says, whatever happens in it."""

from collections.abc import Callable

import pytest

from batchprogress._reporting.buffer import Report
from batchprogress._reporting.reports import ReportCalls
from batchprogress.errors import ReportNotTaken
from batchprogress.v1 import progress_pb2 as pb

SUCCEEDED, FAILED, SKIPPED = pb.JOB_OUTCOME_SUCCEEDED, pb.JOB_OUTCOME_FAILED, pb.JOB_OUTCOME_SKIPPED


class Collected(ReportCalls):
    """Keeps reports instead of sending them."""

    def __init__(self, *, strict: bool = False) -> None:
        """Begin without reports."""
        super().__init__("b", strict=strict)
        self.all: list[Report] = []
        self.dropped: list[str] = []

    @property
    def told(self) -> list[tuple[str, int, int]]:
        """Job, outcome and attempt of each report."""
        return [(one.job_id, one.outcome, one.attempt) for one in self.all]

    def _put(self, report: Report) -> None:
        self.all.append(report)

    def _drop(self, error: ReportNotTaken) -> None:
        self.dropped.append(error.reason)


class NoWordsError(Exception):
    """Its words raise."""

    def __str__(self) -> str:
        """Raise."""
        raise RuntimeError


def test_a_block_that_ends_well_has_succeeded() -> None:
    """The block is reported once, at its end, with its attempt; one that says so is skipped."""
    reporter = Collected()
    with reporter.job("a", attempt=3):
        assert reporter.all == []
    with reporter.job("b") as job:
        job.skip()
    assert reporter.told == [("a", SUCCEEDED, 3), ("b", SKIPPED, 1)]


@pytest.mark.parametrize(
    ("error", "error_type", "error_message"),
    [
        (ValueError("no such row"), "ValueError", "no such row"),
        (NoWordsError(), f"{__name__}.NoWordsError", f"({__name__}.NoWordsError without words)"),
        (OSError("caf\udce9"), "OSError", "caf?"),
        (ValueError("x" * 5_000), "ValueError", "x" * 2_000),
    ],
)
def test_an_exception_is_reported_and_goes_on(error: Exception, error_type: str, error_message: str) -> None:
    """Type and words of any exception, cut to the contract's limits; the job fails with its own exception."""
    reporter = Collected()
    with pytest.raises(type(error)) as raised, reporter.job("a"):
        raise error
    assert raised.value is error
    (told,) = reporter.all
    assert (told.outcome, told.error_type, told.error_message) == (FAILED, error_type, error_message)


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_the_end_of_the_worker_is_not_the_end_of_the_job(end: type[BaseException]) -> None:
    """What is no Exception reports nothing: the queue will run the job again."""
    reporter = Collected()
    with pytest.raises(end), reporter.job("a"):
        raise end
    assert reporter.all == []


async def test_a_decorated_function_reports_each_call() -> None:
    """Functions and coroutine functions keep their results; id and attempt come from their arguments."""
    reporter = Collected()

    @reporter.reports(job_id=lambda order, **_: f"order-{order}", attempt=lambda _order, tries: tries)
    def double(order: int, *, tries: int) -> int:
        return order * tries

    @reporter.reports(job_id=lambda order: f"order-{order}")
    async def half(order: int) -> float:
        return order / 0

    assert double(7, tries=2) == 14
    with pytest.raises(ZeroDivisionError):
        await half(8)
    assert reporter.told == [("order-7", SUCCEEDED, 2), ("order-8", FAILED, 1)]


def broken_id(_order: int) -> str:
    """Return no id."""
    raise KeyError


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda reporter: reporter.succeeded(17), "INVALID_FIELD"),
        (lambda reporter: reporter.succeeded("a", attempt=2**40), "INVALID_FIELD"),
        (lambda reporter: reporter.failed("a", 5), "INVALID_FIELD"),
        (lambda reporter: reporter.reports(job_id=broken_id)(abs)(-1), "NO_JOB_ID"),
    ],
)
def test_a_mistake_in_a_report_fails_no_job(make: Callable[[ReportCalls], object], reason: str) -> None:
    """What is no report is counted and not raised, unless the reporter is strict."""
    reporter = Collected()
    make(reporter)
    assert reporter.dropped == [reason]
    with pytest.raises(ReportNotTaken) as raised:
        make(Collected(strict=True))
    assert raised.value.reason == reason
