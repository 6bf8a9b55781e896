"""What the contract says of answers, without any call: each function yields what is broken, in words."""

from collections import Counter
from collections.abc import Iterator, Sequence

from batches.result import ERROR_MESSAGE_CHARACTERS_MAX, ERROR_TYPE_CHARACTERS_MAX
from batchprogress.v1 import job_status_pb2 as pb
from batchprogress.v1 import progress_pb2
from rpc.answers.fields import IDENTIFIER

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""What a gRPC client reads by default."""
SUCCEEDED, FAILED, SKIPPED = (
    progress_pb2.JOB_OUTCOME_SUCCEEDED,
    progress_pb2.JOB_OUTCOME_FAILED,
    progress_pb2.JOB_OUTCOME_SKIPPED,
)

Counts = pb.GetBatchStatusResponse
Pages = Sequence[pb.ListJobStatusesResponse]


def in_counts(counts: Counts) -> Iterator[str]:
    """Counts add up, and none is below 0."""
    parts = (counts.succeeded, counts.failed, counts.skipped, counts.pending)
    if sum(parts) != counts.total:
        yield f"{' + '.join(map(str, parts))} is not the total, {counts.total}"
    if min(parts) < 0:
        yield "a count is below 0"


def in_later_counts(before: Counts, after: Counts) -> Iterator[str]:
    """What has ended stays so: a failure that will be retried is pending."""
    if _ended(after) < _ended(before):
        yield f"{_ended(before)} jobs had ended, and then only {_ended(after)}"
    if after.total < before.total:
        yield f"the total fell from {before.total} to {after.total}"


def in_pages(pages: Pages, size_max: int) -> Iterator[str]:
    """Pages keep to their size, end, and hold each job once."""
    if pages[-1].next_page_token:
        yield "the list never ends: a page token comes twice, or pages stay empty"
    if max(len(page.job_statuses) for page in pages) > size_max:
        yield f"a page has more than {size_max} jobs"
    if max(page.ByteSize() for page in pages) > MESSAGE_BYTES_MAX:
        yield "a page is larger than 4 MiB"
    times = Counter(job.job_id for page in pages for job in page.job_statuses)
    if any(number > 1 for number in times.values()):
        yield "a job is listed twice"


def in_jobs(pages: Pages) -> Iterator[str]:
    """Each job is one that a worker could have reported."""
    for job in (job for page in pages for job in page.job_statuses):
        if IDENTIFIER.fullmatch(job.job_id) is None:
            yield f"{job.job_id!r} is no job id"
        if job.attempt < 0:
            yield f"{job.job_id} is at attempt {job.attempt}"
        if job.outcome not in {0, SUCCEEDED, FAILED, SKIPPED}:
            yield f"{job.job_id} has an outcome that does not exist: {job.outcome}"
        if (job.error_type or job.error_message) and job.outcome not in {FAILED, SKIPPED}:
            yield f"{job.job_id} has an error, and neither failed nor was skipped"
        if len(job.error_type) > ERROR_TYPE_CHARACTERS_MAX:
            yield f"{job.job_id} has an error_type of more than {ERROR_TYPE_CHARACTERS_MAX} characters"
        if len(job.error_message) > ERROR_MESSAGE_CHARACTERS_MAX:
            yield f"{job.job_id} has an error_message of more than {ERROR_MESSAGE_CHARACTERS_MAX} characters"


def in_list_of(counts: Counts, pages: Pages) -> Iterator[str]:
    """The list of a batch that has ended says what its counts say."""
    outcomes: Counter[int] = Counter(job.outcome for page in pages for job in page.job_statuses)
    listed = (outcomes[SUCCEEDED], outcomes[FAILED], outcomes[SKIPPED], outcomes[0])
    counted = (counts.succeeded, counts.failed, counts.skipped, counts.pending)
    if listed != counted:
        yield f"listed are {listed}, counted {counted} (succeeded, failed, skipped, pending)"


def in_two_lists(one: Pages, other: Pages) -> Iterator[str]:
    """Pages of any size hold the same jobs in the same order."""
    if _ids(one) != _ids(other):
        yield "pages of two sizes differ in their jobs, or in the order"


def _ids(pages: Pages) -> list[str]:
    return [job.job_id for page in pages for job in page.job_statuses]


def _ended(counts: Counts) -> int:
    return counts.succeeded + counts.failed + counts.skipped
