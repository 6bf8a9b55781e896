"""The rules for the content of responses, without I/O: each function yields the problems it finds."""

from collections import Counter
from collections.abc import Iterator, Sequence

from batches.result import (
    ERROR_MESSAGE_CHARACTERS_MAX,
    ERROR_TYPE_CHARACTERS_MAX,
    JOB_NAME_CHARACTERS_MAX,
)
from batchprogress.v1 import job_status_pb2 as pb
from batchprogress.v1 import progress_pb2
from rpc.answers.fields import IDENTIFIER
from rpc.answers.request_checks import MESSAGE_BYTES_MAX
from services.job_status.source import PROBLEM_CHARACTERS_MAX

PENDING = progress_pb2.JOB_OUTCOME_UNSPECIFIED
SUCCEEDED, FAILED, SKIPPED = (
    progress_pb2.JOB_OUTCOME_SUCCEEDED,
    progress_pb2.JOB_OUTCOME_FAILED,
    progress_pb2.JOB_OUTCOME_SKIPPED,
)

Counts = pb.GetBatchStatusResponse
Pages = Sequence[pb.ListJobStatusesResponse]


def counts_add_up(counts: Counts) -> Iterator[str]:
    """The counts add up to the total."""
    parts = _parts(counts)
    if sum(parts) != counts.total:
        yield f"{' + '.join(map(str, parts))} does not add up to the total {counts.total}"


def counts_are_not_negative(counts: Counts) -> Iterator[str]:
    """No count is negative: such data of the queue is a contradiction."""
    if min(*_parts(counts), counts.total) < 0:
        yield f"a count of {' + '.join(map(str, _parts(counts)))} = {counts.total} is negative"


def empty_batch_is_not_finished(counts: Counts) -> Iterator[str]:
    """A batch without jobs is never finished: its jobs may be about to be added."""
    if counts.finished and counts.total == 0:
        yield "a batch of 0 jobs is finished"


def contradiction_is_explained(reasons: Sequence[str], problem: str | None) -> Iterator[str]:
    """The ErrorInfo of a contradiction says what is wrong, in a sentence of the permitted length.

    Args:
        reasons: the reason of each ErrorInfo.
        problem: the metadata `problem`; None if there is none.

    """
    if tuple(reasons) != ("QUEUE_CONTRADICTION",):
        yield "the error has no ErrorInfo (batchprogress, QUEUE_CONTRADICTION)"
    elif not problem:
        yield "the ErrorInfo has no problem in its metadata"
    elif len(problem) > PROBLEM_CHARACTERS_MAX:
        yield f"the problem has more than {PROBLEM_CHARACTERS_MAX} characters"


def ended_jobs_stay_ended(before: Counts, after: Counts) -> Iterator[str]:
    """The number of ended jobs and the total never fall: a failed job that will be retried is pending."""
    if _ended(after) < _ended(before):
        yield f"the number of ended jobs fell from {_ended(before)} to {_ended(after)}"
    if after.total < before.total:
        yield f"the total fell from {before.total} to {after.total}"


def pages_are_bounded(pages: Pages, size_max: int) -> Iterator[str]:
    """Pages respect the size limits, come to an end, and list each job once."""
    if pages[-1].next_page_token:
        yield "the listing does not end: a page token is repeated, or pages stay empty"
    if max(len(page.job_statuses) for page in pages) > size_max:
        yield f"a page has more than {size_max} jobs"
    if max(page.ByteSize() for page in pages) > MESSAGE_BYTES_MAX:
        yield "a page is larger than 4 MiB"
    times_listed = Counter(_ids(pages))
    if any(number > 1 for number in times_listed.values()):
        yield "a job is listed twice"


def jobs_are_valid(pages: Pages) -> Iterator[str]:
    """Each job is one that a worker could have reported."""
    for job in (job for page in pages for job in page.job_statuses):
        if IDENTIFIER.fullmatch(job.job_id) is None:
            yield f"{job.job_id!r} is not a valid job id"
        if job.attempt < 0:
            yield f"{job.job_id} has attempt {job.attempt}"
        if job.outcome not in {PENDING, SUCCEEDED, FAILED, SKIPPED}:
            yield f"{job.job_id} has the unknown outcome {job.outcome}"
        if (job.error_type or job.error_message) and job.outcome not in {FAILED, SKIPPED}:
            yield f"{job.job_id} has an error, although it neither failed nor was skipped"
        if len(job.error_type) > ERROR_TYPE_CHARACTERS_MAX:
            yield f"{job.job_id} has an error_type of more than {ERROR_TYPE_CHARACTERS_MAX} characters"
        if len(job.error_message) > ERROR_MESSAGE_CHARACTERS_MAX:
            yield f"{job.job_id} has an error_message of more than {ERROR_MESSAGE_CHARACTERS_MAX} characters"
        if len(job.display_name) > JOB_NAME_CHARACTERS_MAX:
            yield f"{job.job_id} has a display_name of more than {JOB_NAME_CHARACTERS_MAX} characters"


def unreadable_jobs_are_pending(pages: Pages) -> Iterator[str]:
    """A job that cannot be read is pending, and its problem is a sentence of the permitted length."""
    for job in (job for page in pages for job in page.job_statuses if job.problem):
        if job.outcome != PENDING:
            yield f"{job.job_id} has a problem, but is not pending"
        if len(job.problem) > PROBLEM_CHARACTERS_MAX:
            yield f"{job.job_id} has a problem of more than {PROBLEM_CHARACTERS_MAX} characters"


def listing_matches_counts(counts: Counts, pages: Pages) -> Iterator[str]:
    """The listing of a batch that has ended has as many jobs of each outcome as the counts."""
    outcomes: Counter[int] = Counter(job.outcome for page in pages for job in page.job_statuses)
    listed = (outcomes[SUCCEEDED], outcomes[FAILED], outcomes[SKIPPED], outcomes[PENDING])
    counted = _parts(counts)
    if listed != counted:
        yield f"(succeeded, failed, skipped, pending) is {listed} in the listing, {counted} in the counts"


def listings_are_equal(one: Pages, other: Pages) -> Iterator[str]:
    """Pages of any size list the same jobs in the same order."""
    if _ids(one) != _ids(other):
        yield "listings with different page sizes differ in their jobs or the order"


def _ids(pages: Pages) -> list[str]:
    return [job.job_id for page in pages for job in page.job_statuses]


def _parts(counts: Counts) -> tuple[int, int, int, int]:
    return counts.succeeded, counts.failed, counts.skipped, counts.pending


def _ended(counts: Counts) -> int:
    return counts.succeeded + counts.failed + counts.skipped
