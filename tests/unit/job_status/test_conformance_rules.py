"""The rules of the conformance suite for the content of responses."""

import pytest

from batchprogress.v1 import job_status_pb2 as pb
from rpc.answers.request_checks import MESSAGE_BYTES_MAX
from services.job_status.conformance import rules

SUCCEEDED, FAILED, SKIPPED = rules.SUCCEEDED, rules.FAILED, rules.SKIPPED


def counts(succeeded: int = 0, failed: int = 0, skipped: int = 0, pending: int = 0) -> rules.Counts:
    """Return counts that add up."""
    return pb.GetBatchStatusResponse(
        succeeded=succeeded,
        failed=failed,
        skipped=skipped,
        pending=pending,
        total=succeeded + failed + skipped + pending,
    )


def page(*jobs: pb.JobStatus, token: str = "") -> pb.ListJobStatusesResponse:
    """Return a page."""
    return pb.ListJobStatusesResponse(job_statuses=jobs, next_page_token=token)


A, B, C = (pb.JobStatus(job_id=job_id, attempt=1, outcome=SUCCEEDED) for job_id in "abc")


@pytest.mark.parametrize(
    ("later", "problems"),
    [
        (counts(2, 1, 1, 1), []),
        (counts(1, 2, 1, 1), []),
        (counts(1, 1, 1, 2), ["the number of ended jobs fell from 4 to 3"]),
        (counts(2, 1, 1, 0), ["the total fell from 5 to 4"]),
    ],
)
def test_ended_jobs_and_total_never_fall(later: rules.Counts, problems: list[str]) -> None:
    assert list(rules.ended_jobs_stay_ended(counts(2, 1, 1, 1), later)) == problems


def test_counts_add_up_and_are_not_negative() -> None:
    right = counts(1, 2, 3, 4)
    assert [*rules.counts_add_up(right), *rules.counts_are_not_negative(right)] == []
    wrong = pb.GetBatchStatusResponse(total=3, succeeded=-1, failed=1, skipped=2, pending=3)
    assert list(rules.counts_add_up(wrong)) == ["-1 + 1 + 2 + 3 does not add up to the total 3"]
    assert list(rules.counts_are_not_negative(wrong)) == ["a count of -1 + 1 + 2 + 3 = 3 is negative"]


@pytest.mark.parametrize("name", ["total", "succeeded", "failed", "skipped", "pending"])
def test_each_negative_count_is_noticed(name: str) -> None:
    wrong = pb.GetBatchStatusResponse(**{name: -1})  # type: ignore[arg-type]  # one of the counts
    assert len(list(rules.counts_are_not_negative(wrong))) == 1


def test_empty_batch_is_not_finished() -> None:
    empty = pb.GetBatchStatusResponse(finished=True)
    assert list(rules.empty_batch_is_not_finished(empty)) == ["a batch of 0 jobs is finished"]
    assert list(rules.empty_batch_is_not_finished(pb.GetBatchStatusResponse())) == []
    ended = pb.GetBatchStatusResponse(finished=True, total=1, failed=1)
    assert list(rules.empty_batch_is_not_finished(ended)) == []


@pytest.mark.parametrize(
    ("reasons", "problem", "found"),
    [
        (["QUEUE_CONTRADICTION"], "x" * 200, ""),
        ([], None, "has no ErrorInfo"),
        (["BATCH_NOT_FOUND"], "x", "has no ErrorInfo"),
        (["QUEUE_CONTRADICTION"], None, "no problem"),
        (["QUEUE_CONTRADICTION"], "", "no problem"),
        (["QUEUE_CONTRADICTION"], "x" * 201, "more than 200 characters"),
    ],
)
def test_contradiction_is_explained(reasons: list[str], problem: str | None, found: str) -> None:
    problems = list(rules.contradiction_is_explained(reasons, problem))
    assert len(problems) == bool(found)
    assert found in "".join(problems)


@pytest.mark.parametrize(
    ("job", "found"),
    [
        (pb.JobStatus(job_id="a", outcome=FAILED), ""),
        (pb.JobStatus(job_id="a", pending=True, problem="p" * 200), ""),
        (pb.JobStatus(job_id="a", problem="p"), ""),
        (pb.JobStatus(job_id="a", outcome=FAILED, problem="p"), "is not pending"),
        (pb.JobStatus(job_id="a", pending=True, problem="p" * 201), "more than 200 characters"),
    ],
)
def test_unreadable_jobs_are_pending(job: pb.JobStatus, found: str) -> None:
    problems = list(rules.unreadable_jobs_are_pending([page(A), page(job)]))
    assert len(problems) == bool(found)
    assert found in "".join(problems)


LARGE = pb.JobStatus(job_id="l", error_message="x" * MESSAGE_BYTES_MAX)


@pytest.mark.parametrize(
    ("pages", "problem"),
    [
        ([page(A, B, token="b"), page(C)], ""),
        ([page()], ""),
        ([page(A, B, token="b"), page(C, token="b")], "the listing does not end"),
        ([page(A, B, C)], "more than 2 jobs"),
        ([page(LARGE)], "larger than 4 MiB"),
        ([page(A, token="a"), page(A)], "a job is listed twice"),
    ],
)
def test_pages_are_bounded(pages: rules.Pages, problem: str) -> None:
    problems = list(rules.pages_are_bounded(pages, 2))
    assert len(problems) == bool(problem)
    assert problem in "".join(problems)


@pytest.mark.parametrize(
    ("job", "problem"),
    [
        (pb.JobStatus(job_id="a", attempt=0, pending=True), ""),
        (pb.JobStatus(job_id="a", outcome=FAILED, error_type="E" * 200, error_message="m" * 2_000), ""),
        (pb.JobStatus(job_id="a", outcome=SKIPPED, error_message="m"), ""),
        (pb.JobStatus(job_id="a b", outcome=SUCCEEDED), "is not a valid job id"),
        (pb.JobStatus(job_id="a", attempt=-1, outcome=SUCCEEDED), "has attempt -1"),
        (pb.JobStatus(job_id="a", outcome=9), "has the unknown outcome 9"),  # type: ignore[arg-type]  # a wrong answer
        (pb.JobStatus(job_id="a", outcome=SUCCEEDED, error_type="E"), "has an error"),
        (pb.JobStatus(job_id="a", pending=True, error_message="m"), "has an error"),
        (pb.JobStatus(job_id="a", outcome=FAILED, error_type="E" * 201), "error_type of more than 200"),
        (pb.JobStatus(job_id="a", outcome=FAILED, error_message="m" * 2_001), "message of more than 2000"),
        (pb.JobStatus(job_id="a", outcome=FAILED, display_name="é" * 200), ""),
        (pb.JobStatus(job_id="a", outcome=FAILED, display_name="n" * 201), "display_name of more than 200"),
    ],
)
def test_jobs_are_valid(job: pb.JobStatus, problem: str) -> None:
    problems = list(rules.jobs_are_valid([page(A), page(job)]))
    assert len(problems) == bool(problem)
    assert problem in "".join(problems)


@pytest.mark.parametrize("outcome", [SUCCEEDED, FAILED, SKIPPED])
def test_listing_matches_the_counts_of_each_outcome(outcome: int) -> None:
    pages = [page(pb.JobStatus(job_id="x", outcome=outcome))]  # type: ignore[arg-type]  # one of the enum
    found = {
        one
        for one, wanted in ((SUCCEEDED, counts(1)), (FAILED, counts(0, 1)), (SKIPPED, counts(0, 0, 1)))
        if not list(rules.listing_matches_counts(wanted, pages))
    }
    assert found == {outcome}


def test_listings_have_the_same_jobs_in_the_same_order() -> None:
    assert list(rules.listings_are_equal([page(A, B)], [page(A), page(B)])) == []
    for other in ([page(B, A)], [page(A)]):
        assert list(rules.listings_are_equal([page(A, B)], other)) != []
