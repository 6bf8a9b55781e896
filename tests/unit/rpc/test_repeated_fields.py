"""How elements of a repeated field are counted in the bytes of a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.refusal import Refusal
from rpc.answers.repeated_fields import FURTHER_FIELDS_MAX, RepeatedField

ELEMENTS_MAX = 20
RESULTS = RepeatedField("results", 1, ELEMENTS_MAX, "must be from 1 to 20")
EMPTY = b"\x0a\x00"
EMPTY_WITH_A_LONG_TAG = b"\x8a\x80\x00\x00"
UNKNOWN = b"\x10\x01"


def is_refused(raw: bytes) -> bool:
    """Return whether the bytes are refused for their number of results."""
    try:
        RESULTS.check(raw)
    except Refusal:
        return True
    return False


@pytest.mark.parametrize("element", [EMPTY, EMPTY_WITH_A_LONG_TAG, b"\x0a\x02\x0a\x00"])
def test_the_largest_number_passes_and_one_more_is_refused(element: bytes) -> None:
    """However the tag is encoded, and whatever is within an element."""
    assert len(pb.ReportJobResultsRequest.FromString(element * ELEMENTS_MAX).results) == ELEMENTS_MAX
    assert not is_refused(element * ELEMENTS_MAX)
    assert is_refused(element * (ELEMENTS_MAX + 1))


def test_unknown_fields_hide_no_elements() -> None:
    """A later version may send some; so many that counting would take long are refused."""
    assert is_refused(UNKNOWN * 10 + EMPTY * (ELEMENTS_MAX + 1))
    assert not is_refused(UNKNOWN * 10 + EMPTY * ELEMENTS_MAX)
    assert is_refused(UNKNOWN * (ELEMENTS_MAX + FURTHER_FIELDS_MAX) + EMPTY * (ELEMENTS_MAX + 1))


@pytest.mark.parametrize("raw", [b"\x0b", b"\xff" * 30], ids=["group", "endless"])
def test_bytes_that_are_no_message_are_no_message(raw: bytes) -> None:
    """They are answered as such, and not as too many elements."""
    with pytest.raises(ValueError, match=r"wire type|does not end"):
        RESULTS.check(EMPTY * ELEMENTS_MAX + raw + b"\x0a")


@given(
    st.lists(st.builds(pb.ReportJobResultRequest, batch_id=st.text(), error_message=st.text()), max_size=50)
)
def test_elements_are_counted_as_protobuf_counts_them(results: list[pb.ReportJobResultRequest]) -> None:
    """Texts may contain the byte of the tag."""
    raw = pb.ReportJobResultsRequest(results=results).SerializeToString()
    assert is_refused(raw) == (len(results) > ELEMENTS_MAX)
