"""Which details of errors are kept: those of the first failures of each group. Pure.

A million failures with a stack trace each would be 16 GB, and the traces of similar errors are similar.
"""

from collections.abc import Iterable, Mapping

from batches.failure_groups import OTHER_KINDS, Fingerprints, Job, StoredFailure
from batches.fingerprint import as_text
from batches.result import ERROR_DETAILS_BYTES_MAX, JobOutcome, JobResult

DETAILED_FAILURES_MAX = 100
"""Of each group: more than anyone opens, in at most 1.6 MB."""


def cut_details(text: str) -> str:
    """Return the beginning of a text that takes at most ERROR_DETAILS_BYTES_MAX in UTF-8."""
    if len(text) <= ERROR_DETAILS_BYTES_MAX // 4:  # a character takes at most 4 bytes
        return text
    return text.encode()[:ERROR_DETAILS_BYTES_MAX].decode(errors="ignore")


def with_kept_details(
    recorded: Iterable[tuple[int, JobResult]],
    superseded: Mapping[Job, StoredFailure],
    fingerprints: Fingerprints,
    failed_jobs: Mapping[tuple[int, str], int],
) -> list[tuple[int, JobResult]]:
    """Return the failures whose details are kept.

    A later attempt that fails like the one before takes its place, however many failures have come since.

    Args:
        recorded: The results that are written, each with its batch_key.
        superseded: The stored failures that they replace, by job.
        fingerprints: The fingerprints of the failures among the results.
        failed_jobs: The number of jobs of each group before, by batch_key and fingerprint; a kind without an
            entry is counted with the further kinds.

    """
    room: dict[tuple[int, str], int] = {}

    def has_room(key: int, kind: int) -> bool:
        group = (key, as_text(kind))
        group = group if group in failed_jobs else (key, OTHER_KINDS)
        before = max(0, failed_jobs.get(group, 0))
        room[group] = room.get(group, DETAILED_FAILURES_MAX - before) - 1
        return room[group] >= 0

    kept = []
    for key, result in recorded:
        if not result.error_details or result.outcome is not JobOutcome.FAILED:
            continue
        kind = fingerprints[result.error_type, result.error_message]
        takes_place = superseded.get((key, result.job_id)) == StoredFailure(kind, has_details=True)
        if takes_place or has_room(key, kind):
            kept.append((key, result))
    return kept
