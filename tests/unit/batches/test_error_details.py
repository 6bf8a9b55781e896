"""Which details of errors are kept, and how they are cut."""

import pytest

from batches.error_details import DETAILED_FAILURES_MAX, cut_details, with_kept_details
from batches.failure_groups import OTHER_KINDS, StoredFailure
from batches.fingerprint import as_text
from batches.result import ERROR_DETAILS_BYTES_MAX, JobResult
from tests.support.samples import detailed, failure, result

KIND = 1
FINGERPRINTS = {("E", ""): KIND}


def kept(*results: JobResult, before: int, superseded: dict[str, StoredFailure] | None = None) -> list[str]:
    """Return the jobs of batch 7 whose details are kept if their group had so many jobs before."""
    replaced = {(7, job_id): stored for job_id, stored in (superseded or {}).items()}
    recorded = [(7, one) for one in results]
    groups = {(7, as_text(KIND)): before, (7, OTHER_KINDS): 0}
    return [one.job_id for _, one in with_kept_details(recorded, replaced, FINGERPRINTS, groups)]


def test_details_of_the_first_failures_of_a_group_are_kept() -> None:
    assert kept(detailed("a"), detailed("b"), before=DETAILED_FAILURES_MAX - 1) == ["a"]


def test_results_without_details_or_without_a_failure_keep_none() -> None:
    assert kept(failure("a", "E"), result("b"), before=0) == []


def test_further_kinds_share_the_places_of_their_group() -> None:
    recorded = [(7, detailed(str(number))) for number in range(DETAILED_FAILURES_MAX)]
    groups = {(7, OTHER_KINDS): DETAILED_FAILURES_MAX - 2}
    assert len(with_kept_details(recorded, {}, FINGERPRINTS, groups)) == 2


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (StoredFailure(KIND, has_details=True), ["a"]),
        (StoredFailure(KIND, has_details=False), []),
        (StoredFailure(KIND + 1, has_details=True), []),
    ],
)
def test_a_later_attempt_takes_the_place_of_one_that_failed_alike(
    stored: StoredFailure, expected: list[str]
) -> None:
    assert kept(detailed("a"), before=DETAILED_FAILURES_MAX, superseded={"a": stored}) == expected


@pytest.mark.parametrize("character", ["x", "ä", "€", "🎉"])
def test_details_are_cut_to_16_kib_between_characters(character: str) -> None:
    cut = cut_details(character * ERROR_DETAILS_BYTES_MAX)
    assert set(cut) == {character}
    assert ERROR_DETAILS_BYTES_MAX - 4 < len(cut.encode()) <= ERROR_DETAILS_BYTES_MAX
    assert cut_details(cut) == cut
