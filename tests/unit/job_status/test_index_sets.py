"""The index sets in a Job's status."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.job_status.source import QueueContradiction
from services.job_status.sources.index_sets import parse_index_set

END = 200_000
INDEXES = st.sets(st.integers(0, 300))


def to_text(indexes: set[int]) -> str:
    """Return a set in the format of Kubernetes, consecutive numbers as one range."""
    parts: list[str] = []
    rest = sorted(indexes)
    while rest:
        last = next(position for position, one in enumerate(rest) if one + 1 not in indexes)
        first, end = rest[0], rest[last]
        parts.append(f"{first}-{end}" if end > first else str(first))
        rest = rest[last + 1 :]
    return ",".join(parts)


@given(INDEXES)
def test_parsed_set_has_the_size_order_and_members_of_the_text(indexes: set[int]) -> None:
    parsed = parse_index_set(to_text(indexes), END)
    assert len(parsed) == len(indexes)
    assert list(parsed) == sorted(indexes)
    assert {one for one in range(302) if one in parsed} == indexes


@given(INDEXES, st.integers(0, 300))
def test_indexes_beyond_the_completions_are_ignored(indexes: set[int], end: int) -> None:
    """A Job that was scaled down keeps them in its status."""
    assert list(parse_index_set(to_text(indexes), end)) == sorted(one for one in indexes if one < end)


@given(INDEXES, INDEXES)
def test_sets_with_a_common_member_overlap(one: set[int], other: set[int]) -> None:
    assert parse_index_set(to_text(one), END).overlaps(parse_index_set(to_text(other), END)) == bool(
        one & other
    )


@given(st.text(alphabet="0123456789-, x٣", max_size=12))
def test_any_text_is_an_ascending_set_or_a_contradiction(text: str) -> None:
    """It never raises another error."""
    try:
        parsed = parse_index_set(text, END)
    except QueueContradiction:
        return
    members = [one for one, _ in zip(parsed, range(1_000), strict=False)]
    assert members == sorted(set(members))


@pytest.mark.parametrize(
    "text", [",", "1,", "2,1", "1,1", "3-2", "1-3,3", "-1", "1-", "a", "1 ,2", "99999999999"]
)
def test_other_format_is_a_contradiction(text: str) -> None:
    with pytest.raises(QueueContradiction):
        parse_index_set(text, END)


@pytest.mark.parametrize("text", [None, ""])
def test_empty_or_missing_text_is_the_empty_set(text: str | None) -> None:
    assert list(parse_index_set(text, END)) == []


def test_large_set_is_kept_as_ranges() -> None:
    """Its cost depends on the number of ranges, not of members."""
    everything = parse_index_set("0-1999999999", 2_000_000_000)
    assert (len(everything), 1_999_999_999 in everything) == (2_000_000_000, True)
    odd = parse_index_set(",".join(str(one) for one in range(1, END, 2)), END)
    assert (len(odd), 99_999 in odd, 100_000 in odd) == (END // 2, True, False)
