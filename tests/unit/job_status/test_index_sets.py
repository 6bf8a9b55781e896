"""The compressed sets of a Job's status."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.job_status.source import QueueContradiction
from services.job_status.sources.index_sets import parsed_index_set

END = 200_000
INDEXES = st.sets(st.integers(0, 300))


def written(indexes: set[int]) -> str:
    """Return a set as Kubernetes writes it: neighbours in one range, two of them apart by a comma too."""
    parts: list[str] = []
    rest = sorted(indexes)
    while rest:
        last = next(place for place, one in enumerate(rest) if one + 1 not in indexes)
        first, end = rest[0], rest[last]
        parts.append(f"{first}-{end}" if end > first else str(first))
        rest = rest[last + 1 :]
    return ",".join(parts)


@given(INDEXES)
def test_same_set(indexes: set[int]) -> None:
    """What was written is read: its size, its members in order, and no others."""
    parsed = parsed_index_set(written(indexes), END)
    assert len(parsed) == len(indexes)
    assert list(parsed) == sorted(indexes)
    assert {one for one in range(302) if one in parsed} == indexes


@given(INDEXES, st.integers(0, 300))
def test_scaled_down(indexes: set[int], end: int) -> None:
    """Indexes that a Job no longer has are passed over."""
    assert list(parsed_index_set(written(indexes), end)) == sorted(one for one in indexes if one < end)


@given(INDEXES, INDEXES)
def test_meeting(one: set[int], other: set[int]) -> None:
    """Two sets meet if they have a member in common."""
    assert parsed_index_set(written(one), END).meets(parsed_index_set(written(other), END)) == bool(
        one & other
    )


@given(st.text(alphabet="0123456789-, x٣", max_size=12))
def test_any_text(text: str) -> None:
    """Any text is a rising set or a contradiction, never another error."""
    try:
        parsed = parsed_index_set(text, END)
    except QueueContradiction:
        return
    members = [one for one, _ in zip(parsed, range(1_000), strict=False)]
    assert members == sorted(set(members))


@pytest.mark.parametrize(
    "text", [",", "1,", "2,1", "1,1", "3-2", "1-3,3", "-1", "1-", "a", "1 ,2", "99999999999"]
)
def test_no_set(text: str) -> None:
    """What Kubernetes never writes is a contradiction."""
    with pytest.raises(QueueContradiction):
        parsed_index_set(text, END)


@pytest.mark.parametrize("text", [None, ""])
def test_empty(text: str | None) -> None:
    """Nothing is the empty set."""
    assert list(parsed_index_set(text, END)) == []


def test_large() -> None:
    """A set of any size costs as much as it has ranges."""
    everything = parsed_index_set("0-1999999999", 2_000_000_000)
    assert (len(everything), 1_999_999_999 in everything) == (2_000_000_000, True)
    odd = parsed_index_set(",".join(str(one) for one in range(1, END, 2)), END)
    assert (len(odd), 99_999 in odd, 100_000 in odd) == (END // 2, True, False)
