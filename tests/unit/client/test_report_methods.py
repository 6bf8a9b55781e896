"""What is reported of a job, however it ends."""

from collections.abc import Callable

import pytest

from batchprogress._reporting.report_methods import ReportMethods
from batchprogress.errors import ReportNotTaken
from tests.unit.client.collected import FAILED, SKIPPED, SUCCEEDED, Collected


class NoMessageError(Exception):
    """An exception without a message."""

    def __str__(self) -> str:
        """Raise."""
        raise RuntimeError


def test_a_block_that_ends_without_an_exception_has_succeeded() -> None:
    """It is reported once, at its end, with its attempt; as skipped if it called skip()."""
    reporter = Collected()
    with reporter.job("a", attempt=3):
        assert reporter.all == []
    with reporter.job("b") as job:
        job.skip()
    assert reporter.reported == [("a", SUCCEEDED, 3), ("b", SKIPPED, 1)]


@pytest.mark.parametrize(
    ("error", "error_type", "error_message"),
    [
        (ValueError("no such row"), "ValueError", "no such row"),
        (NoMessageError(), f"{__name__}.NoMessageError", f"({__name__}.NoMessageError without a message)"),
        (OSError("caf\udce9"), "OSError", "caf?"),
        (ValueError("x" * 5_000), "ValueError", "x" * 2_000),
    ],
)
def test_an_exception_is_reported_and_propagates(
    error: Exception, error_type: str, error_message: str
) -> None:
    """Its type and message are cut to the contract's limits; the job fails with its own exception."""
    reporter = Collected()
    with pytest.raises(type(error)) as raised, reporter.job("a"):
        raise error
    assert raised.value is error
    (failed,) = reporter.all
    assert (failed.outcome, failed.error_type, failed.error_message) == (FAILED, error_type, error_message)


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_the_end_of_the_worker_is_not_the_end_of_the_job(end: type[BaseException]) -> None:
    """KeyboardInterrupt and its like report nothing: the queue will run the job again."""
    reporter = Collected()
    with pytest.raises(end), reporter.job("a"):
        raise end
    assert reporter.all == []


def test_a_report_may_have_a_name_for_people() -> None:
    """It is cut to the contract's limit, and no report is lost over a character that cannot be encoded."""
    reporter = Collected()
    reporter.succeeded("a", display_name="sync_row(17)")
    reporter.failed("b", "no", display_name="ü" * 300)
    reporter.skipped("c", display_name="caf\udce9")
    with reporter.job("d", display_name="in a block"):
        pass
    with pytest.raises(ValueError, match="no"), reporter.job("e", display_name="in a failed block"):
        raise ValueError("no")
    reporter.reports(job_id=str, display_name=lambda row: f"row {row}")(abs)(17)
    reporter.succeeded("f")
    names = ["sync_row(17)", "ü" * 200, "caf?", "in a block", "in a failed block", "row 17", ""]
    assert [one.display_name for one in reporter.all] == names


async def test_a_decorated_function_reports_each_call() -> None:
    """Functions and coroutine functions keep their results; job_id and attempt come from their arguments."""
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
    assert reporter.reported == [("order-7", SUCCEEDED, 2), ("order-8", FAILED, 1)]


def broken_id(_order: int) -> str:
    """Raise instead of returning an id."""
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
def test_a_mistake_in_a_report_fails_no_job(make: Callable[[ReportMethods], object], reason: str) -> None:
    """An invalid report is counted as dropped; only a strict reporter raises."""
    reporter = Collected()
    make(reporter)
    assert reporter.dropped == [reason]
    with pytest.raises(ReportNotTaken) as raised:
        make(Collected(strict=True))
    assert raised.value.reason == reason
