"""The current view of a watched batch."""

import pytest

from services.dashboard.errors import BatchUnknown, ServerAway
from services.dashboard.states import Snapshot
from services.dashboard.topic import Topic


def test_an_older_state_replaces_no_newer_one() -> None:
    """A polled state may be older than the stream's: it clears the problem and keeps the newer state."""
    topic = Topic()
    topic.update(_state(2), is_streamed=True)
    topic.fail(ServerAway())
    topic.update(_state(1), is_streamed=False)
    assert topic.view.problem is None
    assert topic.revision == 2


def test_a_batch_that_was_replaced_is_unknown() -> None:
    """Otherwise the page would show its last state until the new batch has as many revisions."""
    topic = Topic()
    topic.update(_state(2), is_streamed=True)
    for revision in (1, 2, 3):
        with pytest.raises(BatchUnknown):
            topic.update(_state(revision, created_at=1.0), is_streamed=True)


def _state(revision: int, created_at: float = 0.0) -> Snapshot:
    return Snapshot(
        revision,
        has_ended=False,
        created_at=created_at,
        newest_result_at=0,
        ended_jobs=0,
        failed_jobs=0,
        json="",
    )
