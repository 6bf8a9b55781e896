"""The checks of the suite; each yields a rule in words and the problems found."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

import grpc

from batchprogress.v1 import job_status_pb2 as pb
from services.job_status.conformance import rules
from services.job_status.conformance.caller import Caller, Refused

PAGES_OF_SMALL_SIZE = 7
"""Every batch is also listed in about this many pages."""
PAGE_SIZE_DEFAULT = 1_000
PAGE_SIZE_MAX = 5_000
PAGE_SIZE_TOO_LARGE = 1_000_000
UNKNOWN_SUFFIX = "-that-no-queue-has"
INVALID_IDS = {"empty": "", "with a space": "two words", "129 characters": "x" * 129}

NOT_FOUND = grpc.StatusCode.NOT_FOUND
FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT


@dataclass(frozen=True, slots=True)
class RuleResult:
    """A rule and the problems found; the rule is kept if there are none."""

    rule: str
    problems: tuple[str, ...] = ()


async def check(caller: Caller, batch_id: str) -> AsyncIterator[RuleResult]:
    """Check a service using a batch that its queue knows."""
    before = await caller.counts(batch_id)
    if isinstance(before, Refused) and before.code is FAILED_PRECONDITION:
        yield _explained(before)
        return
    if isinstance(before, Refused):
        yield RuleResult("the queue knows the batch", (_describe(before),))
        return
    yield RuleResult("no count is negative", tuple(rules.counts_are_not_negative(before)))
    yield RuleResult("counts add up", tuple(rules.counts_add_up(before)))
    yield RuleResult("a batch of 0 jobs is not finished", tuple(rules.empty_batch_is_not_finished(before)))
    for what, unknown_id in _unknown_ids(batch_id):
        yield _not_found(f"{what} is NOT_FOUND", await caller.counts(unknown_id))
    for what, invalid_id in INVALID_IDS.items():
        rule = f"an invalid batch id ({what}) is refused"
        yield _refused(rule, await caller.counts(invalid_id), INVALID_ARGUMENT, NOT_FOUND)
    async for result in _check_listing(caller, batch_id, before):
        yield result
    after = await caller.counts(batch_id)
    if isinstance(after, pb.GetBatchStatusResponse):
        yield RuleResult("ended jobs stay ended", tuple(rules.ended_jobs_stay_ended(before, after)))


async def _check_listing(caller: Caller, batch_id: str, counts: rules.Counts) -> AsyncIterator[RuleResult]:
    pages = await caller.pages(batch_id, 0)
    if not counts.lists_jobs:
        rule = "without lists_jobs the listing is UNIMPLEMENTED"
        yield _refused(rule, pages, grpc.StatusCode.UNIMPLEMENTED)
        return
    if isinstance(pages, Refused) and pages.code is FAILED_PRECONDITION:
        yield _explained(pages)
        return
    if isinstance(pages, Refused):
        yield RuleResult("with lists_jobs the jobs are listed", (_describe(pages),))
        return
    yield RuleResult(
        "the listing ends, and its pages are bounded",
        tuple(rules.pages_are_bounded(pages, PAGE_SIZE_DEFAULT)),
    )
    yield RuleResult("listed jobs are valid", tuple(rules.jobs_are_valid(pages)))
    rule = "a job that cannot be read is pending"
    yield RuleResult(rule, tuple(rules.unreadable_jobs_are_pending(pages)))
    if counts.pending == 0:
        yield RuleResult("the listing matches the counts", tuple(rules.listing_matches_counts(counts, pages)))
    for size in (max(1, counts.total // PAGES_OF_SMALL_SIZE), PAGE_SIZE_TOO_LARGE):
        others = await caller.pages(batch_id, size)
        yield RuleResult(f"page_size {size} lists the same jobs", tuple(_compare(pages, others, size)))
    async for result in _check_bad_requests(caller, batch_id):
        yield result


async def _check_bad_requests(caller: Caller, batch_id: str) -> AsyncIterator[RuleResult]:
    for what, unknown_id in _unknown_ids(batch_id):
        yield _not_found(f"the listing of {what} is NOT_FOUND", await caller.page(unknown_id))
    negative = await caller.page(batch_id, -1)
    yield _refused("a negative page_size is INVALID_ARGUMENT", negative, INVALID_ARGUMENT)
    made_up = await caller.page(batch_id, 1, "not a page token")
    yield _refused("a made-up page token is INVALID_ARGUMENT", made_up, INVALID_ARGUMENT)


def _compare(
    pages: rules.Pages, others: Sequence[pb.ListJobStatusesResponse] | Refused, size: int
) -> Iterator[str]:
    if isinstance(others, Refused):
        yield _describe(others)
        return
    yield from rules.pages_are_bounded(others, min(size, PAGE_SIZE_MAX))
    yield from rules.listings_are_equal(pages, others)


def _unknown_ids(batch_id: str) -> Iterator[tuple[str, str]]:
    yield "an unknown batch", f"{batch_id[:100]}{UNKNOWN_SUFFIX}"
    if batch_id.swapcase() != batch_id:
        yield "the batch id with upper and lower case swapped", batch_id.swapcase()


def _explained(found: Refused) -> RuleResult:
    problems = rules.contradiction_is_explained(found.reasons, found.problem)
    return RuleResult("a contradiction says what is wrong", tuple(problems))


def _refused(rule: str, answer: object, *codes: grpc.StatusCode) -> RuleResult:
    is_refused = isinstance(answer, Refused) and answer.code in codes
    return RuleResult(rule, () if is_refused else (_describe(answer),))


def _not_found(rule: str, answer: object) -> RuleResult:
    if isinstance(answer, Refused) and answer.code is NOT_FOUND and answer.reasons != ("BATCH_NOT_FOUND",):
        return RuleResult(rule, ("the error has no ErrorInfo (batchprogress, BATCH_NOT_FOUND)",))
    return _refused(rule, answer, NOT_FOUND)


def _describe(answer: object) -> str:
    return f"the service answers {answer.code.name if isinstance(answer, Refused) else 'OK'}"
