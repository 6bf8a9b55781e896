"""Which groups a transaction changes, and how groups are ordered and counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches import failure_groups
from batches.failure_groups import (
    OTHER_KINDS,
    GroupChange,
    GroupCounter,
    GroupTally,
    StoredFailure,
    StoredGroups,
    changes_of,
    in_order,
    within_limit,
)
from batches.fingerprint import as_text, from_text
from batches.store.failures import are_true
from tests.support.samples import failure, result


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_fingerprint_is_written_as_16_digits(fingerprint: int) -> None:
    """And read back."""
    text = as_text(fingerprint)
    assert (len(text), from_text(text)) == (16, fingerprint)


def test_results_change_the_groups_of_their_errors() -> None:
    """A failure joins the group of its error, and the one that it replaces leaves its own."""
    recorded = [(7, failure("b", "E", "x 1")), (7, failure("a", "E", "x 2")), (7, result("c"))]
    fingerprints = {("E", "x 1"): 1, ("E", "x 2"): 1}
    known, unknown = StoredFailure(2, has_details=False), StoredFailure(None, has_details=False)
    replaced = {(7, "c"): known, (7, "a"): known, (8, "d"): unknown}
    changes = changes_of(recorded, replaced, fingerprints)
    assert changes == [
        GroupChange(7, as_text(1), 2, sample_job_id="a", error_type="E", sample_error_message="x 2"),
        GroupChange(7, as_text(2), -2),
        GroupChange(8, OTHER_KINDS, -1),
    ]


def test_most_frequent_new_kinds_get_the_groups_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a kind that has a group stay there; all others are counted together."""
    monkeypatch.setattr(failure_groups, "OWN_GROUPS_MAX", 3)
    stored = StoredGroups({(7, "known"): 4}, {7: 2})
    changes = [GroupChange(7, "rare", 1), GroupChange(7, "often", 2), GroupChange(7, "known", -1)]
    assert within_limit([*changes, GroupChange(8, "rare", 1), GroupChange(7, OTHER_KINDS, 1)], stored) == [
        GroupChange(7, OTHER_KINDS, 2, own_groups=1),
        GroupChange(7, "known", -1),
        GroupChange(7, "often", 2),
        GroupChange(8, OTHER_KINDS, 0, own_groups=1),
        GroupChange(8, "rare", 1),
    ]


def test_further_kinds_without_a_change_are_not_written() -> None:
    """Most transactions write one row."""
    stored = StoredGroups({(7, "a"): 4}, {7: 1})
    assert within_limit([GroupChange(7, "a", 1)], stored) == [GroupChange(7, "a", 1)]


def test_groups_are_in_the_order_of_the_contract() -> None:
    """The largest first, then by fingerprint; further kinds last, and groups without jobs not at all."""
    tallies = [GroupTally(*one, "") for one in (("", 9), ("b", 1), ("a", 1), ("c", 2), ("d", 0))]
    assert [one.fingerprint for one in in_order(tallies)] == ["c", "a", "b", ""]


@pytest.mark.parametrize(
    ("numbers", "failures", "expected"), [([2, 1], 3, True), ([2, 1], 4, False), ([2, -1], 1, False)]
)
def test_counts_are_believed_if_their_sum_is_right(
    numbers: list[int], failures: int, *, expected: bool
) -> None:
    """And none of them is negative."""
    assert are_true([GroupTally("f", number, "") for number in numbers], failures) is expected


def test_first_kinds_in_the_rows_get_the_groups() -> None:
    """Rows without a fingerprint are of further kinds."""
    counter = GroupCounter(own_groups_max=1)
    for kind, failed_jobs, job_id in ((1, 2, "a"), (2, 3, "b"), (None, 4, "c"), (1, 5, "d")):
        counter.add(kind, failed_jobs, job_id)
    assert counter.tallies() == [GroupTally(as_text(1), 7, "a"), GroupTally(OTHER_KINDS, 7, "")]
