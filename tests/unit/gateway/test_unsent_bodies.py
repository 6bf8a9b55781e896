"""Bodies of answers that wait for clients are bounded."""

import pytest

from services.gateway.web.unsent_bodies import SLICE_BYTES, UNSENT_BYTES_MAX, NoRoom, UnsentBodies

HALF = bytes(UNSENT_BYTES_MAX // 2)
OTHER_HALF = bytes(UNSENT_BYTES_MAX // 2)
ONE_MORE = b"x"


def test_a_body_is_sent_in_slices() -> None:
    body = bytes(range(256)) * (SLICE_BYTES // 256) + b"rest"
    with UnsentBodies().sending(body) as slices:
        parts = list(slices)
    assert (b"".join(parts), len(parts)) == (body, 2)


def test_different_bodies_are_bounded_together() -> None:
    """One that ends makes room."""
    unsent = UnsentBodies()
    with unsent.sending(HALF):
        with unsent.sending(OTHER_HALF), pytest.raises(NoRoom), unsent.sending(ONE_MORE):
            pass
        with unsent.sending(ONE_MORE):
            pass


def test_a_body_that_many_read_is_counted_once() -> None:
    unsent = UnsentBodies()
    with unsent.sending(HALF), unsent.sending(HALF), unsent.sending(HALF), unsent.sending(OTHER_HALF):
        pass


def test_a_single_body_may_be_larger_than_the_bound() -> None:
    with UnsentBodies().sending(HALF + OTHER_HALF + ONE_MORE):
        pass
