"""The checks, each a rule in words and what is broken about it."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

import grpc

from batchprogress.v1 import job_status_pb2 as pb
from services.job_status.conformance import answers
from services.job_status.conformance.caller import Caller, Refused

SMALL_PAGE_SHARE = 7
"""A batch is also listed in some seven pages."""
PAGE_DEFAULT = 1_000
PAGE_MAX = 5_000
UNKNOWN_SUFFIX = "-that-no-queue-has"
BAD_IDS = ("", "two words", "x" * 129)


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule, and how it is broken; kept if it is not."""

    rule: str
    broken: tuple[str, ...] = ()


async def check(caller: Caller, batch_id: str) -> AsyncIterator[Finding]:
    """Check a service by a batch that its queue knows; best one that has ended, and one that runs."""
    before = await caller.counts(batch_id)
    if isinstance(before, Refused):
        yield Finding("the queue knows the batch", (f"GetBatchStatus answers {before.code.name}",))
        return
    yield Finding("counts add up", tuple(answers.in_counts(before)))
    for id_, what in _unknown_ids(batch_id):
        yield _not_found(f"{what} is NOT_FOUND", await caller.counts(id_))
    for id_ in BAD_IDS:
        refused = await caller.counts(id_)
        codes = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}
        sound = isinstance(refused, Refused) and refused.code in codes
        yield Finding(
            f"an id of {len(id_)} characters that is none is refused", () if sound else ("it is not",)
        )
    async for finding in _listing(caller, batch_id, before):
        yield finding
    after = await caller.counts(batch_id)
    if isinstance(after, pb.GetBatchStatusResponse):
        yield Finding("what has ended stays ended", tuple(answers.in_later_counts(before, after)))


async def _listing(
    caller: Caller, batch_id: str, counts: pb.GetBatchStatusResponse
) -> AsyncIterator[Finding]:
    pages = await caller.pages(batch_id, 0)
    if not counts.lists_jobs:
        refused = isinstance(pages, Refused) and pages.code is grpc.StatusCode.UNIMPLEMENTED
        yield Finding(
            "a queue that keeps only counts answers UNIMPLEMENTED", () if refused else ("it lists",)
        )
        return
    if isinstance(pages, Refused):
        yield Finding("a queue that lists jobs lists them", (f"it answers {pages.code.name}",))
        return
    yield Finding("pages hold 1,000 jobs by default", tuple(answers.in_pages(pages, PAGE_DEFAULT)))
    yield Finding("jobs are such as a worker could have reported", tuple(answers.in_jobs(pages)))
    if counts.pending == 0:
        yield Finding("the list is as the counts", tuple(answers.in_list_of(counts, pages)))
    for asked, size in ((max(1, counts.total // SMALL_PAGE_SHARE), None), (10**6, PAGE_MAX)):
        others = await caller.pages(batch_id, asked)
        yield Finding(f"pages of {asked} hold the same", tuple(_in_others(pages, others, size or asked)))
    for id_, what in _unknown_ids(batch_id):
        yield _not_found(f"the list of {what} is NOT_FOUND", await caller.page(id_))
    for size, token in ((-1, ""), (1, "no token of any page")):
        answer = await caller.page(batch_id, size, token)
        sound = isinstance(answer, Refused) and answer.code is grpc.StatusCode.INVALID_ARGUMENT
        what = "a made-up token" if token else "a negative page_size"
        yield Finding(f"{what} is INVALID_ARGUMENT", () if sound else ("it is not",))


def _in_others(
    pages: Sequence[pb.ListJobStatusesResponse],
    others: Sequence[pb.ListJobStatusesResponse] | Refused,
    size: int,
) -> Iterator[str]:
    if isinstance(others, Refused):
        yield f"it answers {others.code.name}"
        return
    yield from answers.in_pages(others, min(size, PAGE_MAX))
    yield from answers.in_two_lists(pages, others)


def _unknown_ids(batch_id: str) -> Iterator[tuple[str, str]]:
    yield f"{batch_id[:100]}{UNKNOWN_SUFFIX}", "a batch that the queue does not have"
    if batch_id.swapcase() != batch_id:
        yield batch_id.swapcase(), "the batch in the other case of letters"


def _not_found(rule: str, answer: object) -> Finding:
    if not isinstance(answer, Refused) or answer.code is not grpc.StatusCode.NOT_FOUND:
        return Finding(rule, ("it is not",))
    if answer.reasons != ("BATCH_NOT_FOUND",):
        return Finding(rule, ("it has no ErrorInfo of the domain batchprogress with BATCH_NOT_FOUND",))
    return Finding(rule)
